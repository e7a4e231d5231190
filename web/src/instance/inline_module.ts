/**
 * `perilune.wasm` as text: gzip in base64. The build puts it here (scripts/package.mjs); in the tree it is
 * empty, and the file is what is loaded.
 */
const module: string = "";

export default module;
