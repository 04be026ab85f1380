import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Plugin, Rolldown } from 'vite';

const FILE = 'THIRD_PARTY_LICENSES.txt';

/** Texts for packages that come without theirs: a file of `licences/`. */
const MISSING: Readonly<Record<string, string>> = {
  '@tensorflow/tfjs-backend-cpu': 'tensorflow.txt',
  '@tensorflow/tfjs-backend-wasm': 'tensorflow.txt',
  '@tensorflow/tfjs-backend-webgl': 'tensorflow.txt',
  '@tensorflow/tfjs-backend-webgpu': 'tensorflow.txt',
  '@tensorflow/tfjs-converter': 'tensorflow.txt',
  '@tensorflow/tfjs-core': 'tensorflow.txt',
  'onnxruntime-web': 'onnxruntime.txt',
  seedrandom: 'seedrandom.txt',
};

/** Folders of the packages that are in workers, which Vite bundles before what starts them. */
const inWorkers = new Set<string>();

/** Writes the licences of all packages that are in the bundle; one without a text fails the build. */
export function thirdPartyLicences(): Plugin {
  return {
    name: 'third-party-licences',
    apply: 'build',
    generateBundle(_options, bundle) {
      const folders = [...new Set([...inWorkers, ...packagesOf(bundle)])].sort();
      this.emitFile({ type: 'asset', fileName: FILE, source: noticesOf(folders.map(readPackage)) });
    },
  };
}

/** Tells `thirdPartyLicences` of the packages in workers. */
export function licencesOfWorkers(): Plugin {
  return {
    name: 'licences-of-workers',
    generateBundle(_options, bundle) {
      for (const folder of packagesOf(bundle)) inWorkers.add(folder);
    },
  };
}

function packagesOf(bundle: Rolldown.OutputBundle): string[] {
  const modules = Object.values(bundle).flatMap((item) => (item.type === 'chunk' ? item.moduleIds : []));
  return modules.flatMap((id) => packageFolder(id) ?? []);
}

interface Package {
  readonly title: string;
  readonly text: string;
}

/** `…/node_modules/name` or `…/node_modules/@scope/name` of a module in there. */
function packageFolder(id: string): string | undefined {
  return /^\0?(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(id)?.[1];
}

function readPackage(folder: string): Package {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    name: string;
    version: string;
    license: string;
  };
  const own = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file));
  const substitute = join(import.meta.dirname, 'licences', MISSING[name] ?? '');
  if (own === undefined && !(name in MISSING && existsSync(substitute))) {
    throw new Error(`${name} is in the bundle without its licence's text: add it to web_demo/licences`);
  }
  const text = readFileSync(own === undefined ? substitute : join(folder, own), 'utf8').trim();
  return { title: `${name} ${version} (${license})`, text };
}

/** Each text once, under the names of its packages. */
function noticesOf(packages: readonly Package[]): string {
  const titles = new Map<string, string[]>();
  for (const { title, text } of packages) titles.set(text, [...(titles.get(text) ?? []), title]);
  const rule = '-'.repeat(80);
  return [...titles].map(([text, names]) => `${rule}\n${names.join('\n')}\n${rule}\n\n${text}\n`).join('\n');
}
