import { expect, it } from 'vitest';

import { readState, type State, writeState } from '../src/demo/state';

const PLAIN: State = {
  model: '',
  tool: '',
  seed: 0,
  label: 'all',
  psi: null,
  cutoff: null,
  noise: '',
  runtime: '',
  tools: {},
};

it('comes back whole from the address', () => {
  const state: State = {
    model: 'digits & more, größer',
    tool: 'mix',
    seed: 4294967295,
    label: '3',
    psi: -0.7,
    cutoff: 4,
    noise: 'none',
    runtime: 'tfjs-wasm',
    tools: { mix: '1,2;3,4 + a=b#c', morph: '7:0.5/8' },
  };
  expect(readState(writeState(state))).toEqual(state);
});

it('leaves out what is at its default', () => {
  expect(writeState({ ...PLAIN, model: 'digits' })).toBe('#model=digits&seed=0');
  expect(readState('#model=digits')).toEqual({ ...PLAIN, model: 'digits' });
});

it('stays readable', () => {
  const state = { ...PLAIN, model: 'digits', tool: 'mix', seed: 7, label: 'a/b', tools: { mix: '1,2;3:4@5' } };
  expect(writeState(state)).toBe('#model=digits&tool=mix&seed=7&label=a/b&mix=1,2;3:4@5');
});

it.each([
  '',
  '#',
  '#seed=-1&psi=x',
  '#psi=1e308',
  '#seed=1e99&psi=Infinity&cutoff=1.5',
  '#seed=&psi= &cutoff=-2&noise=loud&label=',
  '#%E0%A4%A&%&=&&',
])('ignores what makes no sense in %j', (hash) => {
  const { tools: _, ...state } = readState(hash);
  expect({ ...state, tools: {} }).toEqual(PLAIN);
});
