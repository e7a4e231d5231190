/** A wasm file, imported where the platform compiles it (workerd). */
declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
