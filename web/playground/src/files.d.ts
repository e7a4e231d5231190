/** Lua files, and the markup of a view that is loaded when it is opened, are bundled as text. */
declare module "*.lua" {
  const source: string;
  export default source;
}

declare module "*.html" {
  const markup: string;
  export default markup;
}
