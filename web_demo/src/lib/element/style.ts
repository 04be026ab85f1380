/** Style of `<gan-generator>`; what a page may set are its custom properties and parts. */
export const STYLE = `
  :host { display: inline-block; inline-size: var(--gan-width, 256px); max-inline-size: 100%; }
  :host([hidden]), [hidden] { display: none !important; }
  .frame {
    position: relative;
    overflow: hidden;
    inline-size: 100%;
    aspect-ratio: 1;
    border-radius: var(--gan-radius, 0);
    background: var(--gan-background, transparent);
  }
  .poster, canvas, .overlay, .error { position: absolute; inset: 0; inline-size: 100%; block-size: 100%; }
  .poster img { inline-size: 100%; block-size: 100%; object-fit: cover; }
  canvas { image-rendering: var(--gan-image-rendering, inherit); }
  .overlay { pointer-events: none; }
  .overlay ::slotted(*) { pointer-events: auto; }
  .progress { position: absolute; inset: auto 0 0; block-size: var(--gan-progress-height, 4px); }
  .bar {
    block-size: 100%;
    background: var(--gan-progress-color, Highlight);
    transform: scaleX(0);
    transform-origin: left;
  }
  .error {
    display: grid;
    place-content: center;
    box-sizing: border-box;
    padding: 0.5em;
    overflow: auto;
    overflow-wrap: anywhere;
    color: CanvasText;
    background: Canvas;
    font: 0.8rem/1.4 system-ui, sans-serif;
  }
  .unseen { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); }
`;
