import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';

import { build, type Plugin, type Rolldown } from 'vite';

import type { Asset } from './src/sw/scope.ts';

type Bundle = Rolldown.OutputBundle;

/** Kinds of file of which the page needs each to show itself. */
const SHELL = /\.(css|html|png|svg|webmanifest)$/;

/** Writes `sw.js`, the service worker, with a list of all files of the site in it; nothing where there is no page. */
export function serviceWorker(): Plugin {
  let started: ReadonlySet<string> | null = null;
  let folder: string;
  return {
    name: 'service-worker',
    apply: 'build',
    configResolved(config) {
      folder = config.build.outDir;
    },
    writeBundle(_options, bundle) {
      if ('index.html' in bundle) started = filesAtStart(bundle);
    },
    async closeBundle() {
      if (started === null) return;
      const assets = listAssets(folder, started);
      const version = createHash('sha256').update(JSON.stringify(assets)).digest('hex').slice(0, 16);
      await build({
        configFile: false,
        logLevel: 'warn',
        publicDir: false,
        define: { __ASSETS__: JSON.stringify(assets), __VERSION__: JSON.stringify(version) },
        build: {
          outDir: folder,
          emptyOutDir: false,
          target: 'es2022',
          lib: { entry: 'src/sw/service_worker.ts', formats: ['iife'], name: 'ganexport', fileName: () => 'sw.js' },
        },
      });
    },
  };
}

/** The code with which the page and the library start, without what they import later. */
function filesAtStart(bundle: Bundle): ReadonlySet<string> {
  const found = new Set<string>();
  const add = (file: string) => {
    const item = bundle[file];
    if (item?.type !== 'chunk' || found.has(file)) return;
    found.add(file);
    item.imports.forEach(add);
  };
  for (const item of Object.values(bundle)) if (item.type === 'chunk' && item.isEntry) add(item.fileName);
  return found;
}

function listAssets(folder: string, started: ReadonlySet<string>): Asset[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = entries.map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'));
  return paths
    .filter((path) => path !== 'sw.js')
    .sort()
    .map((path) => {
      const sha256 = createHash('sha256').update(readFileSync(join(folder, path))).digest('hex');
      return { path, sha256, shell: started.has(path) || SHELL.test(path) };
    });
}
