import './morph.css';

import type { Pictures } from '../../lib';
import { walk } from '../../lib/toolbox';
import { button, make } from '../dom';
import type { Shown, Studio } from '../studio';
import type { Mounted, Tool } from '../tool';
import { FEWEST_FRAMES, type Morph, MOST_FRAMES, MOST_KEYFRAMES, placeOf, readMorph, writeMorph } from './morph_state';
import { fill, wantedPick } from './parts/drawing';
import { ExportBar } from './parts/export_bar';
import { seedField, Slider } from './parts/fields';
import { Keyframes } from './parts/keyframes';
import { anySeed, latentsOf, nameOf, type Pick, seedsFrom, withLabels } from './parts/picks';
import { Player } from './parts/player';
import { WalkFilm } from './walk_film';

/** Pictures a second, here and in files; GIF counts hundredths of a second, so that it can keep this. */
const RATE = 25;
const KEYFRAMES = 4;
const FEWEST = 2;

/** From picture to picture: straight in w, on an arc in z. */
export const morph: Tool = {
  id: 'morph',
  title: 'Morph',
  hint: 'Every point between two pictures is a picture too: this is a walk from one keyframe to the next.',
  available: () => true,
  mount: (panel, studio) => new MorphView(panel, studio),
  collect: {
    title: 'Add as a keyframe',
    into: (toolState, { seed, label }) => {
      const state = readMorph(toolState);
      if (seed === null || state.keyframes.length >= MOST_KEYFRAMES) return null;
      return writeMorph({ ...state, keyframes: [...state.keyframes, { seed, label }] });
    },
  },
};

class MorphView implements Mounted {
  readonly #studio: Studio;
  readonly #player: Player;
  readonly #keyframes: Keyframes<Pick>;
  readonly #exportBar: ExportBar;
  readonly #frames = new Slider({
    label: 'Pictures from one to the next',
    min: FEWEST_FRAMES,
    max: MOST_FRAMES,
    step: 1,
    onChange: (frames) => this.#change({ frames }),
  });
  readonly #loop = make('input', { type: 'checkbox' });
  readonly #seed = seedField('Seed to add');
  readonly #add = make('form', { class: 'toolbar', 'aria-label': 'Add a keyframe' });
  #film: WalkFilm | null = null;
  #walked = '';

  constructor(panel: HTMLElement, studio: Studio) {
    this.#studio = studio;
    const open = (shown: Shown) => studio.open(shown);
    this.#player = new Player({ rate: RATE, open });
    this.#keyframes = new Keyframes({ open, fewest: FEWEST, onChange: (keyframes) => this.#change({ keyframes }) });
    this.#exportBar = new ExportBar(studio, () => this.#exported());
    this.#loop.addEventListener('change', () => this.#change({ loop: this.#loop.checked }));
    this.#buildAdd();
    const loop = make('label', { class: 'check' }, this.#loop, 'Back to the first at the end');
    const startOver = button('Start over', () => this.#write(''), { class: 'quiet' });
    const settings = make('div', { class: 'toolbar' }, this.#frames.element, loop, startOver);
    const film = make('div', {}, this.#player.element, this.#exportBar.element);
    const keyframes = make('div', {}, this.#keyframes.element, this.#add, settings);
    panel.append(make('div', { class: 'morph' }, film, keyframes));
  }

  async update(signal: AbortSignal): Promise<void> {
    const { keyframes, frames, loop } = this.#morph;
    this.#frames.value = frames;
    this.#loop.checked = loop;
    this.#add.hidden = keyframes.length >= MOST_KEYFRAMES;
    await this.#draw(signal);
  }

  dispose(): void {
    this.#exportBar.stop();
    this.#player.dispose();
    this.#film = null;
  }

  async #draw(signal: AbortSignal): Promise<void> {
    const studio = this.#studio;
    const { keyframes, ...how } = this.#morph;
    const picks = withLabels(studio, keyframes);
    const names = picks.map((pick) => nameOf(studio, pick));
    const tiles = this.#keyframes.show(keyframes, names);
    const generator = await studio.generator();
    const latents = await latentsOf(studio, generator, picks, signal);
    const wanted = picks.map((pick, at) => wantedPick(studio, tiles[at]!, pick, String(pick.seed)));
    await fill(studio, generator, latents, wanted, signal);

    const walked = JSON.stringify([picks, how, studio.settings, studio.runtime]);
    if (this.#film === null || this.#walked !== walked) {
      this.#exportBar.stop();
      const describe = (row: number, pictures: Pictures, index: number): Shown => {
        const { from, to, along } = placeOf(row, { ...how, keyframes });
        if (along === 0) return studio.seedPicture(picks[from]!.seed, picks[from]!.label, pictures, index);
        const title = `${Math.round(100 * along)} % of the way from ${names[from]} to ${names[to]}`;
        return { pictures, index, title, seed: null, label: null };
      };
      this.#film = new WalkFilm(studio, walk(latents, how), RATE, describe);
      this.#walked = walked;
    }
    await this.#play(this.#film, signal);
  }

  async #play(film: WalkFilm, signal: AbortSignal): Promise<void> {
    this.#player.show(film.shown);
    await film.draw(signal, () => this.#player.show(film.shown));
    this.#studio.say(`${film.count} pictures, ${(film.count / RATE).toFixed(1)} s`);
  }

  #exported(): { film: WalkFilm; name: string } | null {
    if (this.#film === null) return null;
    const seeds = this.#morph.keyframes.map(({ seed }) => seed).join('-');
    const model = this.#studio.manifest.name.replace(/[^\w.-]+/g, '-');
    return { film: this.#film, name: `${model}-seeds-${seeds}` };
  }

  /** The state, with so many keyframes that there is a way between them. */
  get #morph(): Morph {
    const morph = readMorph(this.#studio.toolState);
    const given = morph.keyframes.length;
    const wanted = given === 0 ? KEYFRAMES : Math.max(given, FEWEST);
    return { ...morph, keyframes: [...morph.keyframes, ...seedsFrom(this.#studio, given, wanted - given)] };
  }

  #change(change: Partial<Morph>): void {
    this.#write(writeMorph({ ...this.#morph, ...change }));
  }

  #write(text: string): void {
    this.#studio.setToolState(text);
    this.#studio.redraw();
  }

  #buildAdd(): void {
    const add = (seed: number) => this.#change({ keyframes: [...this.#morph.keyframes, { seed, label: null }] });
    this.#add.addEventListener('submit', (event) => {
      event.preventDefault();
      if (this.#seed.value === '' || !this.#seed.checkValidity()) return;
      add(this.#seed.valueAsNumber);
      this.#seed.value = '';
    });
    this.#seed.placeholder = 'Seed';
    this.#seed.required = false;
    this.#add.append(this.#seed, make('button', {}, 'Add'), button('Add any', () => add(anySeed())));
  }
}
