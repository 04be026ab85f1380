/** A style sheet that the build adds to the page's. */
declare module '*.css';

/** A file that the build copies as it is; the import gives its address. */
declare module '*?url' {
  const url: string;
  export default url;
}

/** Styles that the build adds to the page's. */
declare module '*.css';
