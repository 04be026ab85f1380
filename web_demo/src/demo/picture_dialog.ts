import { button, byId } from './dom';
import { download } from './download';
import { pictureFile, pictureFileName } from './picture_file';
import { type Shown, type Studio, truncationOf } from './studio';
import { paint } from './tile';

/** What the page does for the dialog. */
export interface DialogHost {
  /** The tools that take this picture: what to write on the button, and what happens then. */
  collectors(shown: Shown): readonly { readonly title: string; readonly take: () => void }[];
  /** The address that shows this picture. */
  linkTo(shown: Shown): string;
  /** Go on from the seed of this picture. */
  startFrom(seed: number): void;
}

/** One picture, large, with what it takes to draw it again. The arrow keys go to those beside it. */
export class PictureDialog {
  readonly #dialog = byId('picture', HTMLDialogElement);
  readonly #canvas = byId('picture-canvas', HTMLCanvasElement);
  readonly #title = byId('picture-title', HTMLHeadingElement);
  readonly #details = byId('picture-details', HTMLParagraphElement);
  readonly #said = byId('picture-said', HTMLParagraphElement);
  readonly #start = byId('picture-start', HTMLButtonElement);
  readonly #link = byId('picture-link', HTMLButtonElement);
  readonly #collect = byId('picture-collect', HTMLDivElement);
  readonly #host: DialogHost;
  #shown: Shown | null = null;
  #among: readonly Shown[] = [];
  #studio: Studio | null = null;

  constructor(host: DialogHost) {
    this.#host = host;
    const on = (id: string, act: () => void) => byId(id, HTMLButtonElement).addEventListener('click', act);
    on('picture-save', () => void this.#save());
    on('picture-link', () => void this.#copyLink());
    on('picture-previous', () => this.#step(-1));
    on('picture-next', () => this.#step(1));
    on('picture-start', () => {
      const seed = this.#shown?.seed ?? null;
      this.#dialog.close();
      if (seed !== null) this.#host.startFrom(seed);
    });
    this.#dialog.addEventListener('keydown', ({ key }) => {
      if (key === 'ArrowLeft' || key === 'ArrowRight') this.#step(key === 'ArrowLeft' ? -1 : 1);
    });
    this.#dialog.addEventListener('click', (event) => {
      if (event.target === this.#dialog) this.#dialog.close(); // beside the picture
    });
  }

  /** @param among the pictures that the arrows go through */
  open(shown: Shown, among: readonly Shown[], studio: Studio): void {
    this.#among = among;
    this.#studio = studio;
    this.#show(shown);
    this.#dialog.showModal();
    this.#dialog.querySelector<HTMLButtonElement>('.close')?.focus(); // `autofocus` is refused in frames, with an error
  }

  #show(shown: Shown): void {
    const studio = this.#studio!;
    this.#shown = shown;
    paint(this.#canvas, shown);
    this.#title.textContent = shown.title;
    this.#details.textContent = settingsInWords(shown, studio);
    this.#said.textContent = '';
    this.#start.hidden = shown.seed === null;
    this.#link.hidden = shown.isLocal === true;
    const buttons = this.#host.collectors(shown).map(({ title, take }) => {
      return button(title, () => {
        this.#dialog.close();
        take();
      });
    });
    this.#collect.replaceChildren(...buttons);
    const alone = this.#among.length < 2;
    for (const id of ['picture-previous', 'picture-next']) byId(id, HTMLButtonElement).hidden = alone;
  }

  #step(by: number): void {
    const at = this.#among.findIndex((other) => other === this.#shown);
    const next = this.#among[(at + by + this.#among.length) % this.#among.length];
    if (at >= 0 && next) this.#show(next);
  }

  async #save(): Promise<void> {
    const shown = this.#shown;
    const studio = this.#studio;
    if (!shown || !studio) return;
    try {
      const link = shown.isLocal ? null : this.#host.linkTo(shown);
      download(await pictureFile(shown, studio, link), pictureFileName(shown, studio.manifest.name));
    } catch (error) {
      studio.fail(error);
    }
  }

  async #copyLink(): Promise<void> {
    if (!this.#shown) return;
    this.#said.textContent = await copyText(this.#host.linkTo(this.#shown));
  }
}

/** Copy a link; returns what to say about it. */
export async function copyText(text: string): Promise<string> {
  try {
    await navigator.clipboard.writeText(text);
    return 'Link copied';
  } catch {
    return text; // to be copied by hand
  }
}

function settingsInWords(shown: Shown, studio: Studio): string {
  const { manifest, settings } = studio;
  const { noise } = settings;
  const { psi, cutoff } = truncationOf(shown, studio);
  const truncated = manifest.spec.num_ws > 0;
  const words = [
    shown.details ?? '',
    manifest.name,
    truncated ? `psi ${psi}` : '',
    truncated && cutoff !== null ? `cutoff ${cutoff}` : '',
    noise === manifest.defaults.noise_mode ? '' : `noise ${noise}`,
    `${manifest.spec.resolution} × ${manifest.spec.resolution}`,
  ];
  return words.filter(Boolean).join(' · ');
}
