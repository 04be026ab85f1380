import type { DrawOptions } from '../api';

/** What says which picture is drawn. */
export interface Settings {
  /** Seed of numpy's `RandomState`; 0 when not given. */
  seed: number;
  /** Class by index or name; needed when there are classes. */
  get label(): string | null;
  set label(value: string | number | null | undefined);
  /** Truncation; the bundle's default when null. */
  psi: number | null;
  /** How many of the first ws are truncated; all when null. */
  cutoff: number | null;
  /** Stored, drawn from the seed, or none; as the bundle was made when null. */
  noise: NonNullable<DrawOptions['noise']> | null;
}

/** The attributes of `<gan-generator>`, each a property of the same name that is kept in the attribute. */
export interface Attributes extends Settings {
  /** Address of the bundle's `ganexport.json`. */
  src: string;
  /** Name of a runtime to try first; the best of this device when null. */
  runtime: string | null;
  /** Width in CSS pixels; that of the style sheet when null. */
  width: number | null;
  /** What the picture shows, for those who do not see it; made of name, class and seed when null, decoration when empty. */
  alt: string | null;
  /** `lazy` loads nothing before the element comes near the window. */
  loading: 'eager' | 'lazy';
  /** Address of a picture to show until the first one is drawn. */
  poster: string | null;
  /** Name under which a form sends the settings. */
  name: string;
  /** Whether a form leaves it out. */
  disabled: boolean;
}

type Readers = { readonly [Name in keyof Attributes]: (text: string | null) => Attributes[Name] };

const asText = (text: string | null) => text;
const asNumber = (text: string | null) => (text === null || text === '' ? null : Number(text));

const READERS: Readers = {
  seed: Number,
  label: asText,
  psi: asNumber,
  cutoff: asNumber,
  noise: (text) => text as Settings['noise'], // another word is found out when it is drawn, with an error to read
  src: (text) => text ?? '',
  runtime: asText,
  width: asNumber,
  alt: asText,
  loading: (text) => (text === 'lazy' ? 'lazy' : 'eager'),
  poster: asText,
  name: (text) => text ?? '',
  disabled: (text) => text !== null,
};

/** Names of all attributes. */
export const ATTRIBUTE_NAMES = Object.keys(READERS) as readonly (keyof Attributes)[];

/** Those that say which picture is drawn. */
const SETTING_NAMES = ['seed', 'label', 'psi', 'cutoff', 'noise'] as const satisfies (keyof Settings)[];

/** Give a class the properties of `Attributes`; null, undefined and false take the attribute away. */
export function defineProperties(prototype: HTMLElement): void {
  for (const name of ATTRIBUTE_NAMES) {
    Object.defineProperty(prototype, name, {
      configurable: true,
      enumerable: true,
      get(this: HTMLElement) {
        return READERS[name](this.getAttribute(name));
      },
      set(this: HTMLElement, value: unknown) {
        if (value === null || value === undefined || value === false) this.removeAttribute(name);
        else this.setAttribute(name, value === true ? '' : String(value));
      },
    });
  }
}

/** Take in what was set on an element before its class was known, which hides the properties of the class. */
export function takeEarlyProperties(element: HTMLElement): void {
  const own = element as unknown as Record<string, unknown>;
  for (const name of ATTRIBUTE_NAMES.filter((each) => Object.hasOwn(own, each))) {
    const value = own[name];
    delete own[name];
    own[name] = value;
  }
}

/** Settings as a form sends them: `seed=42&label=3`, without those that are not given. */
export function formatSettings(settings: Settings): string {
  const given = SETTING_NAMES.flatMap((name) => (settings[name] === null ? [] : [[name, String(settings[name])]]));
  return new URLSearchParams(given).toString();
}

/** The inverse of `formatSettings`, attribute by attribute; null for those that are not given. */
export function parseSettings(text: string): Map<keyof Settings, string | null> {
  const given = new URLSearchParams(text);
  return new Map(SETTING_NAMES.map((name) => [name, given.get(name)]));
}
