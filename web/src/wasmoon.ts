/**
 * `perilune/wasmoon`: the part of wasmoon's interface that most programs use, over Perilune, for moving step
 * by step.
 *
 * Values follow Perilune's conversion, so strings and numbers arrive unharmed; class instances are refused
 * unless they are passed through `lua.ref`. A promise that a function returns is an object in Lua, as it is
 * in wasmoon: `:await()` waits for it, `:next`, `:catch` and `:finally` go on when it has settled.
 *
 * @packageDocumentation
 */
import { Lua, LuaMultiReturn, type HostRef, type LuaFunction, type LuaValue, type WasmSource } from "./index.js";
import { isPlain } from "./brands.js";
import { className } from "./names.js";
import { isBoolean, isMilliseconds, readOptions, type Rules } from "./option_rules.js";

export { LuaMultiReturn };

/** wasmoon's options. The libraries are always open; `enableProxy` and `traceAllocations` change nothing. */
export interface EngineOptions {
  openStandardLibs?: boolean | undefined;
  /** True for the table `Promise` in Lua, with `create` and `all`. */
  injectObjects?: boolean | undefined;
  enableProxy?: boolean | undefined;
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

/** Makes engines, which share the files that were mounted. */
export class LuaFactory {
  readonly #wasm: WasmSource | undefined;
  readonly #files = new Map<string, string>();

  /** `wasm`: where `perilune.wasm` is, when not beside the package. */
  constructor(wasm?: WasmSource, environmentVariables?: undefined) {
    if (environmentVariables !== undefined) {
      throw new TypeError("LuaFactory: environment variables are not supported");
    }
    this.#wasm = wasm;
  }

  /** A new engine, with its own state. */
  async createEngine(options: EngineOptions = {}): Promise<LuaEngine> {
    const { functionTimeout, injectObjects } = readOptions<EngineOptions>("createEngine", ENGINE_OPTIONS, options);
    const lua = await Lua.create({ wasm: this.#wasm, timeout: functionTimeout, modules: this.#files });
    const engine = new LuaEngine(lua, this.#files);
    if (injectObjects === true) engine.global.set("Promise", PROMISE);
    return engine;
  }

  /** Adds a file, for `doFile`, and for `require` in all engines of this factory. */
  async mountFile(path: string, content: string | ArrayBufferView): Promise<void> {
    if (typeof path !== "string") throw new TypeError(`mountFile: the path must be a string, not a ${className(path)}`);
    this.#files.set(normalized(path), textOf(path, content));
  }
}

/** A Lua state with wasmoon's names. */
export class LuaEngine {
  /** The global variables. */
  readonly global: LuaGlobal;
  readonly #lua: Lua;
  readonly #promised: Promised;
  readonly #files: ReadonlyMap<string, string>;

  /** @internal Constructor for `LuaFactory`. */
  constructor(lua: Lua, files: ReadonlyMap<string, string>) {
    this.#lua = lua;
    this.#files = files;
    this.#promised = new Promised(lua);
    this.global = new LuaGlobal(lua, this.#promised);
  }

  /** Runs a script, which may wait for promises; its first result. */
  async doString(script: string): Promise<LuaValue> {
    return this.#lua.evalAsync(script);
  }

  /** Runs a script; its first result. */
  doStringSync(script: string): LuaValue {
    return this.#promised.back(this.#lua.eval(script));
  }

  /** Runs a file that was mounted, as `doString` does. */
  async doFile(path: string): Promise<LuaValue> {
    return this.#lua.evalAsync(this.#file(path), { name: path });
  }

  /** Runs a file that was mounted, as `doStringSync` does. */
  doFileSync(path: string): LuaValue {
    return this.#promised.back(this.#lua.eval(this.#file(path), { name: path }));
  }

  #file(path: string): string {
    const content = this.#files.get(normalized(path));
    if (content === undefined) throw new Error(`cannot open ${path}: no file was mounted there`);
    return content;
  }
}

const FIELDS = `local globals, type = _G, type
return function(what, name, field, value)
  local table = globals[name]
  if what == "type" then return type(table) end
  if what == "get" then return table[field] end
  table[field] = value
end`;

/** The global variables of an engine. */
class LuaGlobal {
  readonly #lua: Lua;
  readonly #promised: Promised;
  readonly #fields: LuaFunction;
  /** Tables that `getTable` shows, by the index that its callback got, from 1 on. */
  readonly #shown: string[] = [];

  /** @internal Constructor for `LuaEngine`. */
  constructor(lua: Lua, promised: Promised) {
    this.#lua = lua;
    this.#promised = promised;
    this.#fields = lua.eval<LuaFunction>(FIELDS);
  }

  get(name: string): LuaValue {
    return this.#promised.back(this.#lua.globals.get(name));
  }

  set(name: string, value: unknown): void {
    this.#lua.globals.set(name, this.#promised.toLua(value));
  }

  /** Calls a global function; all its results. */
  call(name: string, ...args: unknown[]): LuaMultiReturn<LuaValue> {
    const given = args.map((arg) => this.#promised.toLua(arg));
    return LuaMultiReturn.from(this.#lua.callAll(name, ...given)) as LuaMultiReturn<LuaValue>;
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
  getField(index: number, field: string): LuaValue {
    return this.#promised.back(this.#fields("get", this.#table(index), field));
  }

  /** Sets a field of the table that `getTable` shows under this index. */
  setField(index: number, field: string, value: unknown): void {
    this.#fields("set", this.#table(index), field, this.#promised.toLua(value));
  }

  /** Runs no further; frees the memory. */
  close(): void {
    // Nothing to flush: engines keep their tables in memory. From inside of a call, when that has ended.
    const close = () => this.#lua.close({ discard: true });
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

/** Values on their way to Lua, in which promises become objects with `await`. */
class Promised {
  readonly #lua: Lua;
  readonly #functions = new WeakMap<object, object>();
  /** Functions and promises that were given, by what stands for them. */
  readonly #originals = new WeakMap<object, object>();

  constructor(lua: Lua) {
    this.#lua = lua;
  }

  /** Returns what Lua gets for a value. */
  toLua(value: unknown, seen: Map<object, object> = new Map()): unknown {
    if (typeof value === "function") return this.#function(value as (...args: unknown[]) => unknown);
    if (typeof value !== "object" || value === null) return value;
    if (isThenable(value)) return this.#promise(value);
    if (!Array.isArray(value) && !isPlain(value)) return value;
    const known = seen.get(value);
    if (known !== undefined) return known;
    const copy: Record<string, unknown> | unknown[] = Array.isArray(value) ? [] : {};
    seen.set(value, copy);
    for (const [key, of] of Object.entries(value)) {
      Object.defineProperty(copy, key, { value: this.toLua(of, seen), enumerable: true, configurable: true });
    }
    return copy;
  }

  /** Returns what was given, for what comes back. */
  back(value: LuaValue): LuaValue {
    if (typeof value !== "function" && (typeof value !== "object" || value === null)) return value;
    return (this.#originals.get(value) ?? value) as LuaValue;
  }

  #function(fn: (...args: unknown[]) => unknown): object {
    // A function of Lua's own, or a class, which is refused as it is.
    if ("callAsync" in fn || Object.getOwnPropertyDescriptor(fn, "prototype")?.writable === false) return fn;
    let wrapper = this.#functions.get(fn);
    if (wrapper === undefined) {
      wrapper = (...args: unknown[]) => {
        const result = fn(...args.map((arg) => this.back(arg as LuaValue)));
        return result instanceof LuaMultiReturn
          ? LuaMultiReturn.from(result, (one) => this.toLua(one))
          : this.toLua(result);
      };
      Object.defineProperty(wrapper, "name", { value: fn.name });
      this.#functions.set(fn, wrapper);
      this.#originals.set(wrapper, fn);
    }
    return wrapper;
  }

  #promise(given: PromiseLike<unknown>): HostRef {
    const promise = new Promise((resolve) => resolve(given));
    const value = (of: unknown) => this.toLua(of);
    const callback = (fn: unknown) =>
      typeof fn === "function" ? (of: unknown) => (fn as (of: unknown) => unknown)(value(of)) : undefined;
    const methods: Record<string, (...args: unknown[]) => unknown> = {
      await: () => promise.then(value),
      next: (fulfilled, rejected) => value(promise.then(callback(fulfilled), callback(rejected))),
      catch: (rejected) => value(promise.then(undefined, callback(rejected))),
      finally: (settled) => value(promise.finally(settled as () => void)),
    };
    this.#originals.set(methods, promise);
    // JavaScript may wait for it where it comes back inside of something else.
    Object.defineProperty(methods, "then", { value: promise.then.bind(promise) });
    return this.#lua.ref(methods, { methods: Object.keys(methods) });
  }
}

function isThenable(value: object): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown }).then === "function";
}

const PROMISE = {
  create: (executor: (resolve: (value: unknown) => void, reject: (reason: unknown) => void) => void) =>
    new Promise(executor),
  all: (promises: readonly unknown[]) => Promise.all(promises),
};

/** Returns the path of a file as `require` asks for it. */
function normalized(path: string): string {
  return String(path).replace(/^(\.?\/)+/, "");
}

function textOf(path: string, content: unknown): string {
  if (typeof content === "string") return content;
  if (!ArrayBuffer.isView(content)) {
    throw new TypeError(`mountFile: the content of ${path} must be a string or bytes, not a ${className(content)}`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content as Uint8Array<ArrayBuffer>);
  } catch (cause) {
    throw new TypeError(`mountFile: the content of ${path} is no UTF-8`, { cause });
  }
}
