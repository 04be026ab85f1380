import { describe, expect, it } from 'vitest';

import { fileOf, parseManifest } from '../src/lib/manifest';
import { chooseRuntime, runtimesFor } from '../src/lib/runtimes/registry';
import { manifestOf } from './manifest_of';

const URL_OF_IT = new URL('https://example.org/models/tiny/ganexport.json');

describe('parseManifest', () => {
  it('gives back what it was given', () => {
    const manifest = manifestOf();
    expect(parseManifest(JSON.stringify(manifest), URL_OF_IT)).toEqual(manifest);
  });

  it.each([
    ['not json', '<!doctype html>', /is no JSON/],
    ['another file', '{"name": "x"}', /no schema_version/],
    ['a later schema', '{"schema_version": 2}', /has schema version 2; this library reads version 1/],
    ['missing fields', '{"schema_version": 1, "name": "x"}', /lacks fields/],
  ])('refuses %s', (_, text, message) => {
    expect(() => parseManifest(text, URL_OF_IT)).toThrow(message);
  });
});

describe('fileOf', () => {
  it('gives address, size and hash', () => {
    const { url, bytes } = fileOf(manifestOf(), URL_OF_IT, 'a/b.bin');
    expect(url.href).toBe('https://example.org/models/tiny/a/b.bin');
    expect(bytes).toBe(3);
  });

  it('refuses a file that is not listed, or that lies outside', () => {
    expect(() => fileOf(manifestOf(), URL_OF_IT, 'other.bin')).toThrow(/does not list other.bin/);
    expect(() => fileOf(manifestOf(), URL_OF_IT, '../c.bin')).toThrow(/outside the bundle/);
  });
});

describe('runtimes', () => {
  const graphs = { mapping: null, synthesis: [], generator: null };

  it('are those that the bundle has artefacts for, the preferred one first', () => {
    expect(runtimesFor(manifestOf({}, { targets: { onnx: graphs, tfjs: graphs } }))[0]).toBe('ort-wasm');
    expect(runtimesFor(manifestOf({}, { targets: { tfjs: graphs } }))).toEqual(['tfjs-webgl', 'tfjs-wasm', 'tfjs-cpu']);
  });

  it('are listed where an unknown one is asked for', () => {
    const manifest = manifestOf({}, { targets: { onnx: graphs } });
    expect(chooseRuntime(manifest)).toBe('ort-wasm');
    expect(() => chooseRuntime(manifest, 'tfjs-cpu')).toThrow('tiny runs on ort-wasm; not on tfjs-cpu');
  });
});
