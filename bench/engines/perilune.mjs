// Perilune, from web/dist: what `cargo xtask build` left there, by its public API only.

export const name = "perilune";

/** As the package's exports say: with files where there are any. */
const ENTRY = globalThis.document === undefined && globalThis.WorkerGlobalScope === undefined ? "node" : "index";

/** Not `import(...)` at the top: loading is part of what the cold start measures. */
export async function create(options = {}) {
  const { Lua } = await import(new URL(`../../web/dist/${ENTRY}.js`, import.meta.url).href);
  const lua = await Lua.create(options);
  return {
    eval: (code) => lua.eval(code),
    evalAsync: (code) => lua.evalAsync(code),
    awaited: (call) => call,
    global: (name) => lua.globals.get(name),
    setGlobal: (name, value) => lua.globals.set(name, value),
    table: (value) => value,
    register: (name, fn) => lua.register(name, fn),
    flush: () => lua.flush(),
    stats: () => lua.stats(),
    collect: () => lua.gc("collect"),
    close: () => lua.close(),
  };
}
