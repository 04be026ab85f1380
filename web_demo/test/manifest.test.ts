import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { fileOf, parseManifest, urlOf } from '../src/lib/manifest';
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
    ['missing fields', '{"schema_version": 1, "name": "x"}', /is no valid manifest: look at spec/],
  ])('refuses %s', (_, text, message) => {
    expect(() => parseManifest(text, URL_OF_IT)).toThrow(message);
  });
});

describe('a manifest that lies', () => {
  const GRAPH = { file: 'a/b.bin', weight_files: [], resolution: 4, inputs: [], outputs: [] };
  const GRAPHS = { mapping: null, synthesis: [GRAPH], generator: null };
  const changed = (spec: object, rest: object = {}) => ({ ...manifestOf(), ...rest, spec: { ...manifestOf().spec, ...spec } });

  it.each<[string, object]>([
    ['spec.resolution', changed({ resolution: 1e9 })],
    ['spec.resolution', changed({ resolution: -4 })],
    ['spec.c_dim', changed({ c_dim: 4e9 })],
    ['spec.z_dim', changed({ z_dim: '5' })],
    ['spec.num_ws', changed({ num_ws: 2.5 })],
    ['spec.image_channels', changed({ image_channels: 2 })],
    ['spec.image_range', changed({ image_range: [0] })],
    ['name', changed({}, { name: { toString: 1 } })],
    ['labels[1]', changed({}, { labels: ['cat', ['dog']] })],
    ['previews', changed({}, { previews: { length: 1e9 } })],
    ['provenance.licence', changed({}, { provenance: { ...manifestOf().provenance, licence: 3 } })],
    ['defaults.noise_mode', changed({}, { defaults: { noise_mode: '__proto__' } })],
    ['targets.onnx.synthesis', changed({}, { targets: { onnx: { ...GRAPHS, synthesis: [] } } })],
    ['targets.onnx.synthesis[0].file', changed({}, { targets: { onnx: { ...GRAPHS, synthesis: [{ ...GRAPH, file: 1 }] } } })],
    ['targets.onnx.mapping.inputs', changed({}, { targets: { onnx: { ...GRAPHS, mapping: { ...GRAPH, inputs: 1 } } } })],
    ['files.a.bytes', changed({}, { files: { a: { bytes: -1, sha256: '1'.repeat(64) } } })],
    ['files.a.sha256', changed({}, { files: { a: { bytes: 1, sha256: '../x' } } })],
    ['goldens.cases', changed({}, { goldens: { file: 'a/b.bin' } })],
  ])('is refused for %s', (place, data) => {
    const look = () => parseManifest(JSON.stringify(data), URL_OF_IT);
    expect(look).toThrow(expect.objectContaining({ code: 'manifest', message: expect.stringMatching(/look at (.*)$/) }));
    expect(look).toThrow(`look at ${place}`);
  });

  it('is refused for a number that no number is', () => {
    const text = JSON.stringify(manifestOf()).replace('"truncation_psi":1', '"truncation_psi":1e999');
    expect(() => parseManifest(text, URL_OF_IT)).toThrow('look at defaults.truncation_psi');
  });

  it('changes no prototype, and fields of a later version are let pass', () => {
    const text = JSON.stringify(changed({}, { later: 1 })).replace('{', '{"__proto__": {"polluted": 1}, ');
    expect(parseManifest(text, URL_OF_IT).name).toBe('tiny');
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

it('reads the bundle of this repository, and those that were made before there were previews and directions', () => {
  const text = readFileSync(new URL('../../converted_models/digits/ganexport.json', import.meta.url), 'utf8');
  expect(parseManifest(text, URL_OF_IT).name).toBe('digits');
  const { previews: _, directions: __, encoder: ___, multiply_adds: ____, ...older } = JSON.parse(text);
  expect(parseManifest(JSON.stringify(older), URL_OF_IT)).toMatchObject({ previews: [], directions: null, encoder: null });
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
    expect(() => fileOf(manifestOf(), URL_OF_IT, 'constructor')).toThrow(/does not list constructor/);
  });
});

describe('urlOf', () => {
  it.each(['../x', '/x', '//evil.example/x', 'https://evil.example/x', 'data:,x', 'javascript:1', '\\\\evil.example/x', '%2e%2e/x'])(
    'refuses %s',
    (path) => {
      expect(() => urlOf(URL_OF_IT, path)).toThrow(/outside the bundle/);
    },
  );
});

describe('runtimes', () => {
  const graphs = { mapping: null, synthesis: [], generator: null };

  it('are those that the bundle has artefacts for, the preferred one first', () => {
    expect(runtimesFor(manifestOf({}, { targets: { onnx: graphs, tfjs: graphs } }))[0]).toBe('ort-webgpu');
    expect(runtimesFor(manifestOf({}, { targets: { tfjs: graphs } }))).toEqual(['tfjs-webgpu', 'tfjs-webgl', 'tfjs-wasm', 'tfjs-cpu']);
  });

  it('are listed where an unknown one is asked for', () => {
    const manifest = manifestOf({}, { targets: { onnx: graphs } });
    expect(chooseRuntime(manifest)).toBe('ort-wasm');
    expect(() => chooseRuntime(manifest, 'tfjs-cpu')).toThrow('tiny runs on ort-webgpu, ort-wasm; not on tfjs-cpu');
  });
});
