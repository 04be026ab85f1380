import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

import type { Plugin } from 'vite';

import own from './package.json' with { type: 'json' };

const HERE = import.meta.dirname;
const RELATIVE_IMPORT = /(from |import\()['"](\.[^'"]*)['"]/g;

/** What npm and bundlers read. Everything is in the files, so it depends on nothing. */
const PACKAGE = {
  name: own.name,
  version: own.version,
  description: own.description,
  keywords: ['gan', 'stylegan', 'web component', 'custom element', 'onnx', 'tensorflow.js', 'webgpu'],
  license: own.license,
  type: 'module',
  exports: {
    '.': { types: './types/index.d.ts', default: './index.js' },
    './element': { types: './types/gan-generator.d.ts', default: './gan-generator.js' },
    './package.json': './package.json',
  },
  types: './types/index.d.ts',
  // Backends of TF.js register themselves when they are imported, and the element its tag.
  sideEffects: ['./gan-generator.js', './parts/*'],
};

/** A script that ONNX Runtime looks for beside its own, in vain: every bundler of a user would say so, or stop there. */
const OWN_SCRIPT = /new (\w+)\("ort\.[\w.]+\.mjs", ?import\.meta\.url\)/g;

/** What our minifier makes of a worker's options. Vite, at a user's, knows a type in plain quotes only. */
const WORKER_TYPE = /\{type:`module`,/g;

/** Imports of addresses that ONNX Runtime knows when it runs; its own comments to bundlers were lost. */
const KNOWN_LATER = /(?<=await )import\((?!["'`])/g;

/** Beside the built files: `package.json`, types, the guide and the licences. */
export function npmPackage(): Plugin {
  return {
    name: 'npm-package',
    apply: 'build',
    transform: {
      filter: { id: /onnxruntime-web/ },
      handler: (code) => ({ code: code.replace(OWN_SCRIPT, 'new $1(import.meta.url)'), map: null }),
    },
    generateBundle(_options, bundle) {
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== 'chunk') continue;
        const code = chunk.code.replace(WORKER_TYPE, "{type:'module',");
        chunk.code = code.replace(KNOWN_LATER, 'import(/* webpackIgnore: true *//* @vite-ignore */');
      }
    },
    writeBundle({ dir }) {
      if (dir === undefined) return;
      writeFileSync(join(dir, 'package.json'), `${JSON.stringify(PACKAGE, null, 2)}\n`);
      copyFileSync(join(HERE, '../docs/web.md'), join(dir, 'README.md'));
      copyFileSync(join(HERE, '../LICENSE'), join(dir, 'LICENSE'));
      writeTypes(join(dir, 'types'));
    },
  };
}

/** Declarations of what the entries say, with endings on their imports, which Node's way of resolving asks for. */
function writeTypes(folder: string): void {
  const compiler = createRequire(import.meta.url).resolve('typescript/package.json');
  execFileSync(process.execPath, [join(compiler, '../bin/tsc'), '-p', 'tsconfig.package.json', '--outDir', folder], {
    cwd: HERE,
    stdio: 'inherit',
  });
  const reached = new Set(['gan-generator.d.ts', 'index.d.ts']);
  // The set grows while it is gone through.
  for (const path of reached) {
    const text = readFileSync(join(folder, path), 'utf8').replace(RELATIVE_IMPORT, (_, start: string, target: string) => {
      const found = [`${target}.d.ts`, `${target}/index.d.ts`].find((file) => existsSync(join(folder, dirname(path), file)));
      if (found === undefined) throw new Error(`${path} imports ${target}, of which there are no types`);
      reached.add(join(dirname(path), found));
      return `${start}'${found.replace(/\.d\.ts$/, '.js')}'`;
    });
    writeFileSync(join(folder, path), text);
  }
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  for (const path of files.filter((file) => file.endsWith('.d.ts') && !reached.has(file))) rmSync(join(folder, path));
}
