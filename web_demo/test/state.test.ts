import { expect, it } from 'vitest';

import { readState, writeState } from '../src/demo/state';

it('comes back from the address', () => {
  const state = { model: 'digits & more', label: '3', seed: 7, psi: 0.7, runtime: 'tfjs-wasm' };
  expect(readState(writeState(state))).toEqual(state);
});

it.each(['', '#', '#seed=-1&psi=x', '#seed=1e99'])('ignores what makes no sense in %j', (hash) => {
  expect(readState(hash)).toEqual({ model: '', label: 'all', seed: 0, psi: null, runtime: '' });
});
