import { mergeConfig } from 'vite';

import plain from './documented/vite.config.js';
import vue from './documented/vue.config.js';

// What the guide has, for both kinds of project, and the pages of this one.
export default mergeConfig(mergeConfig(plain, vue), {
  base: './',
  logLevel: 'warn',
  build: { rolldownOptions: { input: ['plain.html', 'react.html', 'vue.html', 'api.html'] } },
});
