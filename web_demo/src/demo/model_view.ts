import type { Manifest, ParityResult } from '../lib/manifest';
import { byId, make } from './dom';
import { bytesToLoad, type ModelEntry, type Models, previewUrl } from './models';
import { megabytes } from './status';
import { isPixelated } from './tile';
import { architectureTitle } from './titles';

/** Everything on the page that tells of the models: the picker, the title, and what is known of the one that is open. */
export class ModelView {
  readonly #picker = byId('models', HTMLElement);
  readonly #cards = new Map<string, HTMLAnchorElement>();

  constructor(readonly models: Models) {
    this.#picker.hidden = models.entries.length < 2;
    if (this.#picker.hidden) return;
    for (const entry of models.entries) {
      const card = make('a', { class: 'card' }, make('span', { class: 'thumb' }), make('b', {}, entry.name));
      this.#cards.set(entry.name, card);
      models.manifest(entry).then(
        (manifest) => fillCard(card, entry, manifest),
        () => undefined, // said when it is chosen
      );
    }
    this.#picker.replaceChildren(...this.#cards.values());
  }

  /** Show which model is open. @param linkTo the address of the page with another model */
  show(entry: ModelEntry, manifest: Manifest, linkTo: (model: string) => string): void {
    document.title = `${manifest.name} · ganexport`;
    byId('title', HTMLHeadingElement).textContent = manifest.name;
    byId('subtitle', HTMLParagraphElement).textContent = summary(manifest);
    byId('facts', HTMLDListElement).replaceChildren(...facts(manifest).flatMap(([term, text]) => fact(term, text)));
    const preview = byId('preview', HTMLImageElement);
    const source = previewUrl(entry, manifest);
    preview.hidden = source === null;
    if (source !== null && preview.src !== source) preview.src = source;
    preview.classList.toggle('pixelated', isPixelated(manifest.spec.resolution, manifest.spec.image_channels));
    preview.alt = `Some pictures of ${manifest.name}`;
    for (const [name, card] of this.#cards) {
      card.href = linkTo(name);
      card.toggleAttribute('aria-current', name === entry.name);
    }
  }
}

function fillCard(card: HTMLAnchorElement, entry: ModelEntry, manifest: Manifest): void {
  const source = previewUrl(entry, manifest);
  const { resolution } = manifest.spec;
  if (source !== null) {
    const image = make('img', { src: source, alt: '' });
    image.addEventListener('load', () => {
      image.style.scale = String(Math.max(1, image.naturalHeight / resolution / 2)); // two rows of the many
    });
    card.querySelector('.thumb')?.append(image);
  }
  card.append(make('small', {}, `${resolution} × ${resolution} · ${megabytes(bytesToLoad(manifest))}`));
}

function summary({ spec }: Manifest): string {
  const classes = spec.c_dim > 1 ? `, in ${spec.c_dim} classes` : '';
  const family = architectureTitle(spec.architecture);
  return `${family} pictures of ${spec.resolution} × ${spec.resolution} pixels${classes}, drawn on this device.`;
}

function facts(manifest: Manifest): [string, string][] {
  const { provenance, spec, parity, precision, tools } = manifest;
  const { source_format: format, source_sha256: hash } = provenance;
  return [
    ['Licence', provenance.licence],
    ['Source', hash ? `${format}, SHA-256 ${hash.slice(0, 12)}…` : format],
    ['Training', trainingOf(provenance.training)],
    ['Latent space', spec.num_ws > 0 ? `z of ${spec.z_dim}, ${spec.num_ws} ws of ${spec.w_dim}` : `z of ${spec.z_dim}`],
    ['To load', `${megabytes(bytesToLoad(manifest))}, ${precision.weights} weights`],
    ['Proven', provenText(parity)],
    ['Made with', `ganexport ${tools['ganexport'] ?? ''}`.trim()],
  ];
}

function trainingOf(training: Manifest['provenance']['training']): string {
  const kimg = training?.['kimg'];
  return typeof kimg === 'number' ? `${kimg} thousand pictures seen` : '';
}

/** The gate in words: how many comparisons passed, on which runtimes, and what was left out. */
function provenText(parity: readonly ParityResult[]): string {
  const passed = parity.filter(({ status }) => status === 'ok');
  if (passed.length === 0) return 'Not compared with the original';
  const runtimes = [...new Set(passed.map(({ runtime }) => runtime))].join(', ');
  const closest = passed.filter(({ tensor, max_abs }) => tensor === 'image' && max_abs !== null);
  const most = Math.max(0, ...closest.map(({ max_abs }) => max_abs ?? 0));
  const within = closest.length > 0 ? `; the picture within ${most.toExponential(0)}` : '';
  const open = parity.length - passed.length;
  const rest = open > 0 ? `; ${open} not verified` : '';
  return `${passed.length} comparisons with the original passed on ${runtimes}${within}${rest}`;
}

function fact(term: string, text: string): HTMLElement[] {
  return text === '' ? [] : [make('dt', {}, term), make('dd', {}, text)];
}
