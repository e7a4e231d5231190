// wasmoon: PUC Lua 5.4 through emscripten.

export const name = "wasmoon";

export async function create() {
  const { LuaFactory, decorateProxy } = (await import("wasmoon")).default;
  // In a page wasmoon would fetch its module from a CDN; ours comes from this machine, like everyone's.
  const wasm = globalThis.document ? "/bench/node_modules/wasmoon/dist/glue.wasm" : undefined;
  const lua = await new LuaFactory(wasm).createEngine();
  // By itself it passes arrays and objects as a userdata that reaches back into JavaScript; we ask for a
  // table.
  const table = (value) => decorateProxy(value, { proxy: false });
  return {
    eval: (code) => lua.doStringSync(code),
    /** Runs chunks without results: those stay on its stack for ever, and after some forty it breaks. */
    evalAsync: (code) => lua.doString(code),
    /** Returns Lua that waits for the promise which `call`, an expression, returns. */
    awaited: (call) => `${call}:await()`,
    global: (name) => lua.global.get(name),
    setGlobal: (name, value) => lua.global.set(name, typeof value === "object" ? table(value) : value),
    table,
    register: (name, fn) => lua.global.set(name, fn),
    close: () => lua.global.close(),
  };
}
