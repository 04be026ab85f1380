import { resolve } from 'node:path';

import { defineConfig } from 'vite';

import { thirdPartyLicences } from './licences.ts';
import { npmPackage } from './npm_package.ts';
import site from './vite.config.ts';

/** The npm package: the library as a site has it, without the page; `npm pack dist/package` makes the file to publish. */
export default defineConfig({
  ...site,
  root: import.meta.dirname,
  plugins: [thirdPartyLicences(), npmPackage()],
  build: {
    ...site.build,
    outDir: resolve(import.meta.dirname, 'dist/package'),
    rolldownOptions: {
      ...site.build?.rolldownOptions,
      input: { 'gan-generator': 'src/lib/gan-generator.ts', index: 'src/lib/index.ts' },
      output: {
        entryFileNames: '[name].js',
        chunkFileNames: 'parts/[name]-[hash].js',
        assetFileNames: 'parts/[name]-[hash][extname]',
      },
    },
  },
});
