/**
 * The module's imports, answered.
 *
 * wasm-bindgen decorates the names that Rust gave (`__wbg_table_get_3f2a...`) and adds a few of its own. The list is
 * read from the module itself: what it asks for is looked up by its plain name, and what nobody knows is an error here,
 * not a riddle from `WebAssembly.instantiate`.
 */
import type { Border } from "#js/border.js";

/** The exports of the module (docs/codec.md section 3). */
export interface Exports {
  readonly memory: WebAssembly.Memory;
  configure(memoryLimit: number): number;
  init(): number;
  io_ptr(): number;
  io_len(): number;
  io_reserve(length: number): number;
  eval(length: number): number;
  request(operation: number, length: number): number;
  readonly __wbindgen_externrefs?: WebAssembly.Table;
  __wbindgen_start?(): void;
}

/** An instance of the module whose imports `border` answers. */
export async function instantiate(module: WebAssembly.Module, border: Border): Promise<Exports> {
  const box: { exports?: Exports } = {};
  const own = bindgenImports(() => box.exports as Exports);
  const imports: Record<string, Record<string, WebAssembly.ImportValue>> = {};
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    const stem = plainName(name);
    const answer = kind === "function" ? (lookUp(border.imports, stem) ?? lookUp(own, stem)) : bindgenTag(stem);
    if (answer === undefined) {
      throw new Error(`the wasm module asks for "${name}", which this version of the package does not have`);
    }
    (imports[from] ??= {})[name] = answer as WebAssembly.ImportValue;
  }
  const instance = await WebAssembly.instantiate(module, imports);
  const exports = instance.exports as unknown as Exports;
  box.exports = exports;
  exports.__wbindgen_start?.();
  return exports;
}

/** The name that Rust gave. */
export function plainName(name: string): string {
  return name.replace(/^__wbg_/, "").replace(/_[0-9a-f]{16}$/, "");
}

function lookUp(answers: object, name: string): unknown {
  return Object.hasOwn(answers, name) ? (answers as Record<string, unknown>)[name] : undefined;
}

/**
 * wasm-bindgen's tags, for JavaScript exceptions that pass through Rust. None does: the border catches them. Their type
 * is all that the module wants of them.
 */
function bindgenTag(name: string): unknown {
  if (name !== "__wbindgen_jstag" && name !== "__wbindgen_wrapped_jstag") return undefined;
  const { Tag } = WebAssembly as unknown as { Tag: new (type: { parameters: string[] }) => unknown };
  return new Tag({ parameters: ["externref"] });
}

/** What wasm-bindgen itself imports. */
function bindgenImports(exports: () => Exports): Record<string, (...args: number[]) => void> {
  return {
    __wbindgen_throw(at = 0, length = 0) {
      const bytes = new Uint8Array(exports().memory.buffer, at >>> 0, length);
      throw new Error(new TextDecoder().decode(bytes));
    },
    // The table of JavaScript values, which we leave empty but for the constants that wasm-bindgen counts on.
    __wbindgen_init_externref_table() {
      const table = exports().__wbindgen_externrefs;
      if (table === undefined) return;
      const offset = table.grow(4);
      table.set(0, undefined);
      [undefined, null, true, false].forEach((value, i) => table.set(offset + i, value));
    },
  };
}
