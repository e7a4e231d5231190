/**
 * Modules of hot functions, which the wasm module compiles at run time (docs/decisions/0038): made, put into
 * its table, and dropped.
 *
 * Invariants:
 * - Nothing throws into the module. What the compiler throws, a trap included, ends compiling in this VM;
 *   where modules may not be made at run time (a Content-Security-Policy, workerd), in all of them.
 * - No more than `PAGE_MODULES_MAX` are alive in all VMs of a page or worker: engines take more and more time
 *   for each.
 */

/** Most compiled modules in all VMs. */
const PAGE_MODULES_MAX = 256;

/** Answers to `jit_compile`. */
const NEVER = -1;
const NOTHING = 0;
const MADE = 1;

/** Modules that are alive, of all VMs. */
let pageModules = 0;
/** True once a module was not allowed. */
let forbidden = false;

/** Counts the modules of VMs that nobody has closed. */
const abandoned = new FinalizationRegistry((/** @type {Compiled} */ compiled) => {
  pageModules -= compiled.modules;
});

/**
 * Figures of one VM.
 * @typedef {object} Compiled
 * @property {number} modules that are alive
 * @property {number} functions in these
 * @property {number} bytes of these
 * @property {unknown} failure why nothing is compiled any more
 */

/**
 * Exports that compiled modules import: memory, table, and helpers.
 * @typedef {Record<string, WebAssembly.ExportValue>} ModuleExports
 */

/**
 * Makes the compiler's side in JavaScript, for one instance.
 * @param {() => ModuleExports} exportsOf the instance's exports; asked for at the first call
 */
export function createCompiler(exportsOf) {
  /** @type {Compiled} */
  const compiled = { modules: 0, functions: 0, bytes: 0, failure: undefined };
  /** Modules by their first slot. @type {Map<number, { functions: number, bytes: number }>} */
  const alive = new Map();
  /** @type {WebAssembly.Table | undefined} */
  let table;
  /** @type {Record<string, WebAssembly.ExportValue>} */
  const imports = {};

  function theTable() {
    if (table !== undefined) return table;
    const exports = exportsOf();
    for (const [name, value] of Object.entries(exports)) {
      if (typeof value === "object" && "set" in value) table = /** @type {WebAssembly.Table} */ (value);
      else if (name.startsWith("perilune_jit_")) imports[name.slice("perilune_jit_".length)] = value;
    }
    if (table === undefined) throw new Error("the module exports no table");
    imports["memory"] = /** @type {WebAssembly.Memory} */ (exports["memory"]);
    imports["table"] = table;
    return table;
  }

  /** @param {number} first @param {number} count */
  function drop(first, count) {
    const module = alive.get(first);
    if (module === undefined) return;
    alive.delete(first);
    compiled.modules--;
    compiled.functions -= module.functions;
    compiled.bytes -= module.bytes;
    pageModules--;
    for (let at = first; at < first + count; at++) theTable().set(at, null);
  }

  /** @param {number} at @param {WebAssembly.Memory} memory */
  function make(at, memory) {
    const [address, length, first, count] = new Uint32Array(memory.buffer, at, 4);
    if (address === undefined || length === undefined || first === undefined || count === undefined) return NOTHING;
    const bytes = new Uint8Array(memory.buffer, address, length);
    let exports;
    try {
      exports = new WebAssembly.Instance(new WebAssembly.Module(bytes), { m: imports }).exports;
    } catch (error) {
      // A module that is wrong, or memory of the engine that is used up, is this VM's trouble alone.
      const { name } = /** @type {Error} */ (error);
      forbidden = name !== "RangeError" && !(name === "CompileError" && WebAssembly.validate(bytes) === false);
      throw error;
    }
    for (let index = 0; index < count; index++) {
      theTable().set(first + index, /** @type {Function} */ (exports[index]));
    }
    if (compiled.modules === 0) abandoned.register(alive, compiled, compiled);
    alive.set(first, { functions: count, bytes: length });
    compiled.modules++;
    compiled.functions += count;
    compiled.bytes += length;
    pageModules++;
    return MADE;
  }

  return {
    /** Modules that are alive, and what is in them. */
    compiled,

    imports: {
      /** @param {number} build slot of the compiler, which returns where its result is, or 0 */
      jit_compile(build) {
        if (forbidden) return NEVER;
        if (pageModules >= PAGE_MODULES_MAX) return NOTHING;
        try {
          const at = theTable().get(build)();
          return at === 0 ? NOTHING : make(at >>> 0, /** @type {WebAssembly.Memory} */ (imports["memory"]));
        } catch (error) {
          compiled.failure = error;
          return NEVER;
        }
      },

      /** @param {number} slots */
      jit_grow(slots) {
        try {
          return theTable().grow(slots);
        } catch {
          return -1;
        }
      },

      jit_drop: drop,
    },

    /** Drops all modules: the instance runs no more. */
    dispose() {
      abandoned.unregister(compiled);
      pageModules -= compiled.modules;
      compiled.modules = compiled.functions = compiled.bytes = 0;
      alive.clear();
    },
  };
}
