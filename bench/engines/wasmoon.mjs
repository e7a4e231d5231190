// wasmoon: PUC Lua 5.4 through emscripten.

export const name = "wasmoon";

export async function create() {
  const { LuaFactory, decorateProxy } = (await import("wasmoon")).default;
  // In a page wasmoon would fetch its module from a CDN; ours comes from this machine, like everyone's.
  const wasm = globalThis.document ? "/bench/node_modules/wasmoon/dist/glue.wasm" : undefined;
  const lua = await new LuaFactory(wasm).createEngine();
  return {
    eval: (code) => lua.doStringSync(code),
    global: (name) => lua.global.get(name),
    // By itself it passes an array as a userdata that reaches back into JavaScript; we ask for a table.
    setGlobal: (name, value) =>
      lua.global.set(name, typeof value === "object" ? decorateProxy(value, { proxy: false }) : value),
    register: (name, fn) => lua.global.set(name, fn),
    close: () => lua.global.close(),
  };
}
