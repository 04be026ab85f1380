import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

import { defineConfig, type Plugin } from 'vite';

import { thirdPartyLicences } from './licences.ts';

const WASM = 'tfjs-backend-wasm-simd.wasm'; // every Node that is supported has SIMD, and TF.js has no threads there

/** `tfjs_runner.mjs`: one file for Node with TF.js in it, and the wasm of TF.js beside it. */
export default defineConfig({
  plugins: [besideIt(), thirdPartyLicences()],
  build: {
    outDir: process.env['GANEXPORT_WEB_OUTPUT'] ?? '../ganexport/_web',
    emptyOutDir: false,
    target: 'node18',
    minify: true,
    ssr: 'src/node/tfjs_runner.ts',
    rolldownOptions: {
      external: ['node-fetch'], // for Nodes without a fetch of their own
      output: {
        entryFileNames: 'tfjs_runner.mjs',
        codeSplitting: false,
        // What parts of TF.js take for granted: they were written as CommonJS.
        banner: `import { createRequire as requireFrom } from 'node:module';
import { fileURLToPath as pathFrom } from 'node:url';
const require = requireFrom(import.meta.url);
const __dirname = pathFrom(new URL('.', import.meta.url));`,
      },
    },
  },
  ssr: { noExternal: true },
});

function besideIt(): Plugin {
  const path = createRequire(import.meta.url).resolve(`@tensorflow/tfjs-backend-wasm/wasm-out/${WASM}`);
  return {
    name: 'wasm-beside-the-runner',
    generateBundle() {
      this.emitFile({ type: 'asset', fileName: WASM, source: readFileSync(path) });
    },
  };
}
