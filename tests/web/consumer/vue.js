import { createApp } from 'vue';

import Picture from './documented/Picture.vue';

const src = 'https://example.org/my-site/models/digits/ganexport.json';
createApp(Picture, { src }).mount(document.body.appendChild(document.createElement('main')));
