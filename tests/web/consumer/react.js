import { createElement } from 'react';
import { createRoot } from 'react-dom/client';

import { Picture } from './documented/Picture.tsx';

const src = 'https://example.org/my-site/models/digits/ganexport.json';
createRoot(document.body.appendChild(document.createElement('main'))).render(createElement(Picture, { src }));
