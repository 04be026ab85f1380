/** A file that the build copies as it is; the import gives its address. */
declare module '*?url' {
  const url: string;
  export default url;
}
