import { expect, it } from 'vitest';

import { readState } from '../src/demo/state';
import { ModelStudio, type StudioHost } from '../src/demo/studio';
import { manifestOf } from './manifest_of';

const defaults = (mode: 'const' | 'random' | 'none' | 'input') => ({ truncation_psi: 1, noise_mode: mode, inputs: {} });

it.each([
  ['const', 'random', 'const'],
  ['const', 'none', 'none'],
  ['random', 'const', 'random'],
  ['none', 'const', 'none'],
  ['input', 'random', 'none'],
] as const)('a model made for noise %s, by a link with noise %s, draws with %s', (made, linked, drawn) => {
  const host = { state: readState(`#noise=${linked}`) } as StudioHost;
  const studio = new ModelStudio('https://example.org/ganexport.json', manifestOf({}, { defaults: defaults(made) }), host);
  expect(studio.settings.noise).toBe(drawn);
});
