/** What the page shows. All of it stands in the address, so that a link shows the same pictures. */
export interface State {
  /** Name of the model; the first of the site when empty. */
  readonly model: string;
  /** Index of the class, or `all`: one after the other. */
  readonly label: string;
  readonly seed: number;
  /** Null: the model's default. */
  readonly psi: number | null;
  /** Empty: the model's preferred one. */
  readonly runtime: string;
}

export const LARGEST_SEED = 2 ** 32 - 1;

/** Read the part of an address after `#`; what makes no sense there is left at its default. */
export function readState(hash: string): State {
  const fields = new URLSearchParams(hash.replace(/^#/, ''));
  const seed = Number(fields.get('seed') ?? 0);
  const psi = Number(fields.get('psi') ?? NaN);
  return {
    model: fields.get('model') ?? '',
    label: fields.get('label') ?? 'all',
    seed: Number.isInteger(seed) && seed >= 0 && seed <= LARGEST_SEED ? seed : 0,
    psi: Number.isFinite(psi) ? psi : null,
    runtime: fields.get('runtime') ?? '',
  };
}

/** The part of an address after `#`. */
export function writeState({ model, label, seed, psi, runtime }: State): string {
  const fields = new URLSearchParams({ model, label, seed: String(seed) });
  if (psi !== null) fields.set('psi', String(psi));
  fields.set('runtime', runtime);
  return `#${fields.toString()}`;
}
