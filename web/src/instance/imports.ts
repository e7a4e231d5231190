/**
 * The module's imports, answered.
 *
 * wasm-bindgen decorates the names that Rust gave (`__wbg_table_get_3f2a...`) and adds few of its own: no
 * JavaScript value is ever inside of the module. The list is read from the module itself: what it asks for is
 * looked up by its plain name, and what nobody knows is an error that names it.
 */
import type { HostImports } from "#js/imports.js";
import { LuaMemoryError } from "../errors.js";

/** The exports of the module (docs/codec.md section 3). */
export interface Exports {
  readonly memory: WebAssembly.Memory;
  configure(memoryLimit: number): number;
  init(): number;
  restore(memoryLimit: number): number;
  io_ptr(): number;
  io_len(): number;
  stack_len(): number;
  io_reserve(length: number): number;
  eval(length: number): number;
  request(operation: number, length: number): number;
  clear_free(): void;
  pack(at: number, length: number): number;
  unpack(length: number): number;
  // Of the compiler of hot functions: a module may be without it.
  jit_tune?(threshold: number, length: number, exitSeed: number): void;
  jit_exits?(): number;
  jit_park?(): number;
  jit_unpark?(pairs: number): void;
}

/** Functions that answer imports, by their plain names. */
export type ImportFunctions = { readonly [name: string]: (...args: any[]) => unknown };

/** Imports of a module as an instance takes them. */
interface Wiring {
  readonly imports: WebAssembly.Imports;
  /** Takes note of the exports, of which the imports need the memory. */
  made<E extends Exports>(exports: WebAssembly.Exports): E;
}

/**
 * Makes an instance of a module whose imports `hostImports` answers, and `others` what a module beside
 * `perilune.wasm` asks for in addition. Throws when a name is in both, or an import in neither.
 */
export async function instantiate<E extends Exports = Exports>(
  module: WebAssembly.Module,
  hostImports: HostImports,
  others?: ImportFunctions,
): Promise<E> {
  const { imports, made } = wire(module, hostImports, others);
  return made((await WebAssembly.instantiate(module, imports).catch(refused)).exports);
}

/** Makes an instance at once, as `instantiate` does. A page's main thread refuses that for a large module. */
export function instantiateSync<E extends Exports = Exports>(
  module: WebAssembly.Module,
  hostImports: HostImports,
  others?: ImportFunctions,
): E {
  const { imports, made } = wire(module, hostImports, others);
  try {
    return made(new WebAssembly.Instance(module, imports).exports);
  } catch (error) {
    return refused(error);
  }
}

function wire(module: WebAssembly.Module, hostImports: HostImports, others: ImportFunctions = {}): Wiring {
  let exports!: Exports;
  const answers: Record<string, unknown> = {
    __proto__: null,
    ...hostImports.imports,
    __wbindgen_throw(at: number, length: number) {
      throw new Error(new TextDecoder().decode(new Uint8Array(exports.memory.buffer, at >>> 0, length)));
    },
  };
  for (const [name, answer] of Object.entries(others)) {
    if (name in answers) throw new Error(`the import "${name}" has two answers`);
    answers[name] = answer;
  }
  const imports: WebAssembly.Imports = {};
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    const stem = plainName(name);
    const answer = kind === "function" ? answers[stem] : bindgenTag(stem);
    if (answer === undefined) {
      throw new Error(`the wasm module asks for "${name}", which this version of the package does not have`);
    }
    (imports[from] ??= {})[name] = answer as WebAssembly.ImportValue;
  }
  return { imports, made: <E extends Exports>(of: WebAssembly.Exports) => (exports = of as unknown as Exports) as E };
}

/** Throws the reason for which there is no instance; no memory is a `LuaMemoryError`. */
function refused(cause: unknown): never {
  const { name, message } = (cause ?? {}) as { name?: unknown; message?: unknown };
  if (name !== "RangeError" && name !== "InternalError") throw cause;
  const advice = "close others first: each keeps a part of the address space until it is closed and collected";
  throw new LuaMemoryError("memory", `the platform has no memory for one more VM (${String(message)}); ${advice}`, {
    cause,
  });
}

/** Returns the name that Rust gave to an import. */
export function plainName(name: string): string {
  return name.replace(/^__wbg_/, "").replace(/_[0-9a-f]{16}$/, "");
}

/**
 * Makes one of wasm-bindgen's tags, for JavaScript exceptions that pass through Rust. None does: the host
 * imports catch them. Their type is all that the module needs.
 */
function bindgenTag(name: string): unknown {
  if (name !== "__wbindgen_jstag" && name !== "__wbindgen_wrapped_jstag") return undefined;
  const { Tag } = WebAssembly as unknown as { Tag: new (type: { parameters: string[] }) => unknown };
  return new Tag({ parameters: ["externref"] });
}
