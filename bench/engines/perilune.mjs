// Perilune, from web/dist: what `cargo xtask build` left there, by its public API only.

export const name = "perilune";

/** As the package's exports say: with files where there are any. */
const ENTRY = globalThis.document === undefined && globalThis.WorkerGlobalScope === undefined ? "node" : "index";

/** Not `import(...)` at the top: loading is part of what the cold start measures. */
export async function create(options = {}) {
  const { Lua } = await load();
  return wrapped(await Lua.create(options));
}

/** A VM from what `snapshot()` or `image()` gave. */
export async function restore(from, options = {}) {
  const { Lua } = await load();
  return wrapped(await Lua.restore(from, options));
}

/** A snapshot decoded once, to start many VMs from. */
export async function image(bytes, options = {}) {
  const { Lua } = await load();
  return Lua.image(bytes, options);
}

/** Where its module is: for who wants it compiled before the clock runs. */
export const WASM = new URL("../../web/dist/perilune.wasm", import.meta.url);

/** A measure of what a build does not have yet is left out. */
export async function needSnapshots() {
  const { Lua } = await load();
  if (!Lua.prototype.snapshot) throw new Error("unsupported: this build has no snapshots");
}

function load() {
  return import(new URL(`../../web/dist/${ENTRY}.js`, import.meta.url).href);
}

function wrapped(lua) {
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
    snapshot: () => lua.snapshot(),
    fork: async () => wrapped(await lua.fork()),
    close: () => lua.close(),
  };
}
