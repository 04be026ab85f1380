import type { Manifest } from '../lib/manifest';
import type { Shown, Studio } from './studio';

/** A tool of the page: one tab, one panel. */
export interface Tool {
  /** Short and lower-case: it names the tool and its part of the state in the address. */
  readonly id: string;
  /** On the tab. */
  readonly title: string;
  /** One sentence: what it shows. */
  readonly hint: string;
  /** Whether this model can do it; a tool that is not available has no tab. */
  available(manifest: Manifest): boolean;
  /** Build the panel. What it draws comes with `update`, which the page calls next. */
  mount(panel: HTMLElement, studio: Studio): Mounted;
  /** False where the settings beside the tools change nothing that it shows: then they are not there. */
  readonly usesSettings?: false;
  /** How pictures of the dialog get into this tool; without it they do not. */
  readonly collect?: Collect;
}

/** A button of the dialog that takes its picture to a tool. */
export interface Collect {
  /** On the button, such as `Use as a keyframe`. */
  readonly title: string;
  /** The tool's part of the address with the picture in it. Null where this picture cannot be used: then there is no button. */
  into(toolState: string, shown: Shown): string | null;
}

/** A tool whose panel is on the page. */
export interface Mounted {
  /** Draw under the studio's settings and the tool's state; called again whenever one of them changes. */
  update(signal: AbortSignal): Promise<void>;
  /** Stop what is running and free what is held; the panel is emptied by the page. */
  dispose(): void;
}
