// Perilune by its public API: the build under test, and the one that it is compared with (`--against`).

/** Entry that the package's exports name for this environment: with files where there are any. */
const ENTRY = globalThis.document === undefined && globalThis.WorkerGlobalScope === undefined ? "node" : "index";

/** Engine of the built package in the folder `dist`, a URL that ends with a slash. */
function builtPackage(dist) {
  // Not at the top: loading is part of what the cold start measures.
  const load = () => import(new URL(`${ENTRY}.js`, dist).href);
  return {
    /** Address of its module: for tasks that compile it before they read the clock. */
    wasm: new URL("perilune.wasm", dist),

    async create(options = {}) {
      const { Lua } = await load();
      return wrapped(await Lua.create(options));
    },

    /** Restores a VM from what `snapshot()` or `image()` gave. */
    async restore(from, options = {}) {
      const { Lua } = await load();
      return wrapped(await Lua.restore(from, options));
    },

    /** Decodes a snapshot once, to start many VMs from. */
    async image(bytes, options = {}) {
      const { Lua } = await load();
      return Lua.image(bytes, options);
    },

    /** Throws for a build that has no snapshots: measures of them are left out. */
    async needSnapshots() {
      const { Lua } = await load();
      if (!Lua.prototype.snapshot) throw new Error("unsupported: this build has no snapshots");
    },
  };
}

/** Build under test: web/dist, from `cargo xtask build`. */
export const perilune = builtPackage(new URL("../../web/dist/", import.meta.url));

/** Build to compare with, as lib/base.mjs copied it. */
export const base = builtPackage(new URL("../../target/bench/base/", import.meta.url));

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
