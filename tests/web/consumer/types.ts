// Compiled, never run: what is wrong on purpose must be found wrong.
import 'ganexport/element';

import { type Generator, openBundle } from 'ganexport';
import type { GenerateDetail } from 'ganexport/element';

const element = document.createElement('gan-generator');
element.seed = 3;
element.label = 3;
const label: string | null = element.label;
element.addEventListener('generate', ({ detail }) => {
  const drawn: GenerateDetail = detail;
  console.log(drawn.pictures.width, label);
});
element.addEventListener('progress', (event) => console.log(event.loaded));
element.addEventListener('click', (event) => console.log(event.clientX));
document.querySelector('gan-generator')?.mix(7, [0, 4]);

// @ts-expect-error a seed is a number
element.seed = 'three';
// @ts-expect-error there is no such noise
element.noise = 'loud';
// @ts-expect-error layers are a range
element.mix(7, 4);
// @ts-expect-error the detail has no such field
element.addEventListener('generate', ({ detail }) => detail.seeds);

export const generator: Promise<Generator> = openBundle('ganexport.json', { runtime: 'ort-wasm' });
