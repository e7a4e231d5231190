/**
 * `perilune/wasmoon`: wasmoon's interface over Perilune, for programs that were written for it.
 *
 * A promise that a function returns is an object in Lua: `:await()` waits for it, `:next`, `:catch` and
 * `:finally` go on when it has settled. Instances of classes, and classes, are objects whose members Lua
 * uses. What it does not have is in docs/js-api.md.
 *
 * @packageDocumentation
 */
import { Lua, LuaMultiReturn, type LuaFunction, type WasmSource } from "./index.js";
import { className } from "./names.js";
import { isBoolean, isMilliseconds, readOptions, type Rules } from "./option_rules.js";
import { LuaThread, Threads } from "./wasmoon/thread.js";
import type { LuaType } from "./wasmoon/types.js";
import { Values } from "./wasmoon/values.js";

export { LuaMultiReturn, LuaThread };
export { Decoration, decorate, decorateProxy, decorateUserdata, type DecorationOptions } from "./wasmoon/decoration.js";
export { LuaLibraries, LuaReturn, LuaType, type LuaResumeResult, type LuaThreadRunOptions } from "./wasmoon/types.js";

/** wasmoon's options. The libraries are always open, and `enableProxy` changes nothing. */
export interface EngineOptions {
  openStandardLibs?: boolean | undefined;
  /** True for the tables `Promise` and `Error`, and the value `null`, in Lua. Default: true. */
  injectObjects?: boolean | undefined;
  enableProxy?: boolean | undefined;
  /** True for `getMemoryUsed` to work. */
  traceAllocations?: boolean | undefined;
  /** The most milliseconds that a call may run; default: that of `Lua.create`. */
  functionTimeout?: number | undefined;
}

const ENGINE_OPTIONS: Rules = {
  openStandardLibs: isBoolean,
  injectObjects: isBoolean,
  enableProxy: isBoolean,
  traceAllocations: isBoolean,
  functionTimeout: isMilliseconds,
};

/** Environment variables by name. */
export type EnvironmentVariables = Record<string, string | undefined>;

/** Memory of an engine: wasmoon's has no limit of its own. */
const MEMORY_BYTES = 1024 * 1024 * 1024;

/** Makes engines, which share the files that were mounted. */
export class LuaFactory {
  readonly #wasm: WasmSource | undefined;
  readonly #env: Record<string, string>;
  readonly #files = new Map<string, string | Uint8Array>();
  readonly #engines = new Set<WeakRef<Lua>>();

  /** `wasm`: where `perilune.wasm` is, when not beside the package. */
  constructor(wasm?: WasmSource, environmentVariables: EnvironmentVariables = {}) {
    this.#wasm = wasm;
    const given = Object.entries(environmentVariables);
    this.#env = Object.fromEntries(given.filter((entry): entry is [string, string] => entry[1] !== undefined));
  }

  /** A new engine, with its own state. */
  async createEngine(options: EngineOptions = {}): Promise<LuaEngine> {
    const given = readOptions<EngineOptions>("createEngine", ENGINE_OPTIONS, options);
    const lua = await Lua.create({
      wasm: this.#wasm,
      timeout: given.functionTimeout,
      memoryLimit: MEMORY_BYTES,
      files: this.#files,
      env: this.#env,
    });
    this.#engines.add(new WeakRef(lua));
    return new LuaEngine(lua, given);
  }

  /** Adds a file, for `doFile`, and for `require` and `io.open`, in all engines of this factory. */
  async mountFile(path: string, content: string | ArrayBufferView): Promise<void> {
    if (typeof path !== "string") throw new TypeError(`mountFile: the path must be a string, not a ${className(path)}`);
    const file = bytesOf(path, content);
    this.#files.set(path, file);
    for (const ref of this.#engines) {
      try {
        ref.deref()?.files.write(path, file);
      } catch {
        // One that was closed needs it no more.
        this.#engines.delete(ref);
      }
    }
  }
}

/** A Lua state with wasmoon's names. */
export class LuaEngine {
  /** The state, as a thread, with its global variables. */
  readonly global: LuaGlobal;

  /** @internal Constructor for `LuaFactory`. */
  constructor(lua: Lua, { injectObjects = true, traceAllocations = false }: EngineOptions) {
    const values = new Values(lua, injectObjects);
    this.global = new LuaGlobal(new Threads(lua, values), traceAllocations);
    if (!injectObjects) return;
    lua.globals.set("null", values.nullValue);
    this.global.set("Promise", PROMISE);
    this.global.set("Error", { create: (message: unknown) => new Error(String(message ?? "")) });
  }

  /** Runs a script, which may wait for promises; its first result. */
  async doString(script: string): Promise<any> {
    const thread = this.global.newThread();
    thread.loadString(script);
    return await first(thread);
  }

  /** Runs a script; its first result. */
  doStringSync(script: string): any {
    const thread = this.global.newThread();
    thread.loadString(script);
    return firstSync(thread);
  }

  /** Runs a file that was mounted, as `doString` does. */
  async doFile(path: string): Promise<any> {
    const thread = this.global.newThread();
    thread.loadFile(path);
    return await first(thread);
  }

  /** Runs a file that was mounted, as `doStringSync` does. */
  doFileSync(path: string): any {
    const thread = this.global.newThread();
    thread.loadFile(path);
    return firstSync(thread);
  }
}

async function first(thread: LuaThread): Promise<unknown> {
  try {
    return (await thread.run())[0];
  } finally {
    if (!thread.isClosed()) thread.close();
  }
}

function firstSync(thread: LuaThread): unknown {
  try {
    return thread.runSync()[0];
  } finally {
    if (!thread.isClosed()) thread.close();
  }
}

const FIELDS = `local globals, type = _G, type
return function(what, name, field, value)
  local table = globals[name]
  if what == "type" then return type(table) end
  if what == "get" then return table[field] end
  table[field] = value
end`;

/** The global state of an engine. */
class LuaGlobal extends LuaThread {
  /** Calls of C Lua that are used by programs. */
  readonly lua: { lua_getglobal(address: number, name: string): LuaType };
  /** Number that stands for the state in those. */
  readonly address = 1;
  readonly #fields: LuaFunction;
  /** Tables that `getTable` shows, by the index that its callback got, from 1 on. */
  readonly #shown: string[] = [];
  readonly #traces: boolean;

  /** @internal Constructor for `LuaEngine`. */
  constructor(threads: Threads, traces: boolean) {
    super(threads);
    this.#traces = traces;
    this.#fields = threads.lua.eval<LuaFunction>(FIELDS);
    this.lua = { lua_getglobal: (_, name) => this.pushGlobal(name) };
  }

  get(name: string): any {
    const { lua, values } = this.threads;
    return values.back(lua.globals.get(name));
  }

  set(name: string, value: unknown): void {
    const { lua, values } = this.threads;
    lua.globals.set(name, values.toLua(value));
  }

  /** Calls `callback` with an index for `getField` and `setField`, which holds until it returns. */
  getTable(name: string, callback: (index: number) => void): void {
    const type = this.#fields("type", name);
    if (type !== "table") throw new TypeError(`Unexpected type in ${name}. Expected table. Got ${String(type)}.`);
    this.#shown.push(name);
    try {
      callback(this.#shown.length);
    } finally {
      this.#shown.pop();
    }
  }

  /** Returns a field of the table that `getTable` shows under this index. */
  getField(index: number, field: string): any {
    return this.threads.values.back(this.#fields("get", this.#table(index), field));
  }

  /** Sets a field of the table that `getTable` shows under this index, or of one on the stack. */
  override setField(index: number, field: string, value: unknown): void {
    if (this.#shown.length === 0) return super.setField(index, field, value);
    this.#fields("set", this.#table(index), field, this.threads.values.toLua(value));
  }

  /** Bytes that Lua's values take. */
  getMemoryUsed(): number {
    if (!this.#traces) throw new Error("memory is not traced: build the engine with { traceAllocations: true }");
    return this.threads.lua.stats().memory.luaUsed;
  }

  /** Runs no further; frees the memory. */
  override close(): void {
    const { lua, values } = this.threads;
    values.closed = true;
    // Nothing to flush: engines keep their tables in memory. From inside of a call, when that has ended.
    const close = () => lua.close({ discard: true });
    close()
      .catch(close)
      .catch((error: unknown) => console.error(error));
  }

  #table(index: number): string {
    const name = this.#shown[index - 1];
    if (name === undefined) throw new RangeError(`there is no table at the index ${index}: use it inside of getTable`);
    return name;
  }
}

export type { LuaGlobal };

const PROMISE = {
  create: (executor: (resolve: (value: unknown) => void, reject: (reason: unknown) => void) => void) =>
    new Promise(executor),
  all: (promises: readonly unknown[]) => Promise.all(promises),
  resolve: (value: unknown) => Promise.resolve(value),
};

function bytesOf(path: string, content: unknown): string | Uint8Array {
  if (typeof content === "string") return content;
  if (!ArrayBuffer.isView(content)) {
    throw new TypeError(`mountFile: the content of ${path} must be a string or bytes, not a ${className(content)}`);
  }
  return new Uint8Array(content.buffer, content.byteOffset, content.byteLength).slice();
}
