import { resolve } from 'node:path';

import { defineConfig } from 'vite';

import { npmPackage } from './npm_package.ts';
import site from './vite.config.ts';

/** The npm package: the library as a site has it, without the page; `npm pack dist/package` makes the file to publish. */
export default defineConfig({
  ...site,
  root: import.meta.dirname,
  plugins: [site.plugins, npmPackage()],
  build: {
    ...site.build,
    outDir: resolve(import.meta.dirname, 'dist/package'),
    rolldownOptions: {
      ...site.build?.rolldownOptions,
      input: {
        'gan-generator': 'src/lib/gan-generator.ts',
        index: 'src/lib/index.ts',
        worker: 'src/lib/worker/worker.ts',
      },
      output: {
        // The script that starts the worker is a part, and looks for it beside itself.
        entryFileNames: ({ name }) => (name === 'worker' ? 'parts/worker.js' : '[name].js'),
        chunkFileNames: 'parts/[name]-[hash].js',
        assetFileNames: 'parts/[name]-[hash][extname]',
      },
    },
  },
});
