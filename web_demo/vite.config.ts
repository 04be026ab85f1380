import { resolve } from 'node:path';

import { defaultClientConditions, defineConfig, type Plugin } from 'vite';

import { licencesOfWorkers, thirdPartyLicences } from './licences.ts';
import { serviceWorker } from './service_worker.ts';

/** The page and the library, which lie side by side so that both use one copy of the runtimes. */
export default defineConfig({
  root: 'src/demo',
  base: './', // works in any sub-folder
  plugins: [contentSecurityPolicy(), importsInWorkers(), thirdPartyLicences(), serviceWorker()],
  worker: {
    format: 'es',
    plugins: () => [licencesOfWorkers()],
    rolldownOptions: { output: { entryFileNames: 'page/[name]-[hash].js' } },
  },
  resolve: { conditions: ['onnxruntime-web-use-extern-wasm', ...defaultClientConditions] },
  build: {
    outDir: resolve(process.env['GANEXPORT_WEB_OUTPUT'] ?? '../ganexport/_web', 'site'),
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: false, // what it adds to dynamic imports does not run in workers
    chunkSizeWarningLimit: 2000,
    rolldownOptions: {
      input: {
        page: 'src/demo/index.html',
        'gan-generator': 'src/lib/gan-generator.ts',
        index: 'src/lib/index.ts',
        worker: 'src/lib/worker/worker.ts',
      },
      preserveEntrySignatures: 'strict',
      output: {
        entryFileNames: ({ name }) => (name === 'page' ? 'page/[name]-[hash].js' : 'lib/[name].js'),
        chunkFileNames: 'lib/[name]-[hash].js',
        assetFileNames: ({ names }) =>
          names.some((name) => /\.(wasm|mjs)$/.test(name)) ? 'lib/[name]-[hash][extname]' : 'page/[name]-[hash][extname]',
      },
    },
  },
});

/** No eval, and no other origin. Only in the built page: the development server works with inline scripts. */
function contentSecurityPolicy(): Plugin {
  const policy = [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "style-src 'self'",
    "img-src 'self' blob:",
    "connect-src 'self'",
    "worker-src 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return {
    name: 'content-security-policy',
    apply: 'build',
    transformIndexHtml: () => [
      { tag: 'meta', attrs: { 'http-equiv': 'Content-Security-Policy', content: policy }, injectTo: 'head-prepend' },
    ],
  };
}

/** Vite's wrapper of dynamic imports tells of a failure on `window`, which workers do not have. */
function importsInWorkers(): Plugin {
  return {
    name: 'imports-in-workers',
    renderChunk: (code) =>
      code.includes('vite:preloadError') ? code.replace('window.dispatchEvent', 'self.dispatchEvent') : null,
  };
}
