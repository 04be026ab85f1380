/** What the page shows. All of it stands in the address, so that a link shows the same pictures. */
export interface State {
  /** Name of the model; the first of the site when empty. */
  readonly model: string;
  /** Which tool is open; the first when empty. */
  readonly tool: string;
  readonly seed: number;
  /** A class by its index or name, or `all`: one after the other. */
  readonly label: string;
  /** Null: the model's default. */
  readonly psi: number | null;
  /** How many of the first ws are truncated; null: all of them. */
  readonly cutoff: number | null;
  /** Empty: the model's default. */
  readonly noise: '' | NoiseMode;
  /** Empty: the best of this device. */
  readonly runtime: string;
  /** What each tool wrote of itself, by the tool's id. */
  readonly tools: Readonly<Record<string, string>>;
}

export type NoiseMode = (typeof NOISE_MODES)[number];

export const LARGEST_SEED = 2 ** 32 - 1;

export const NOISE_MODES = ['const', 'random', 'none'] as const;

/** Far beyond what draws anything; a float32 of more would be lost in the arithmetic. */
const LARGEST_PSI = 100;

const OURS = new Set(['model', 'tool', 'seed', 'label', 'psi', 'cutoff', 'noise', 'runtime']);

/** Read the part of an address after `#`; what makes no sense there is left at its default. */
export function readState(hash: string): State {
  const fields = new URLSearchParams(hash.replace(/^#/, ''));
  const word = (name: string) => fields.get(name) ?? '';
  const number = (name: string, isRight: (value: number) => boolean) => {
    const value = word(name).trim() === '' ? NaN : Number(word(name));
    return isRight(value) ? value : null;
  };
  return {
    model: word('model'),
    tool: word('tool'),
    seed: number('seed', (seed) => Number.isInteger(seed) && seed >= 0 && seed <= LARGEST_SEED) ?? 0,
    label: word('label') || 'all',
    psi: number('psi', (psi) => Math.abs(psi) <= LARGEST_PSI),
    cutoff: number('cutoff', (cutoff) => Number.isInteger(cutoff) && cutoff >= 0),
    noise: NOISE_MODES.find((mode) => mode === word('noise')) ?? '',
    runtime: word('runtime'),
    tools: Object.fromEntries([...fields].filter(([name, text]) => !OURS.has(name) && text !== '')),
  };
}

/** The part of an address after `#`; what is at its default does not stand there. */
export function writeState({ model, tool, seed, label, psi, cutoff, noise, runtime, tools }: State): string {
  const fields = {
    model,
    tool,
    seed: String(seed),
    label: label === 'all' ? '' : label,
    psi: psi === null ? '' : String(psi),
    cutoff: cutoff === null ? '' : String(cutoff),
    noise,
    runtime,
    ...tools,
  };
  const written = Object.entries(fields).filter(([, text]) => text !== '');
  return `#${written.map(([name, text]) => `${escape(name)}=${escape(text)}`).join('&')}`;
}

/** As `encodeURIComponent`, but marks that an address may hold stay readable. */
function escape(text: string): string {
  return encodeURIComponent(text).replace(/%(?:2C|3A|3B|40|2F)/g, decodeURIComponent);
}
