/**
 * `perilune/wasmoon`: the part of wasmoon's interface that most programs use, over Perilune, for moving step
 * by step.
 *
 * Values follow Perilune's conversion, so strings and numbers arrive unharmed; class instances are refused
 * unless they are passed through `lua.ref`. In `doString` Lua waits for promises by itself: there is no
 * `:await()`.
 *
 * @packageDocumentation
 */
import { Lua, LuaMultiReturn, type LuaValue, type WasmSource } from "./index.js";

export { LuaMultiReturn };

/** wasmoon's options. The libraries are always open, the others change nothing here. */
export interface EngineOptions {
  openStandardLibs?: boolean;
  injectObjects?: boolean;
  enableProxy?: boolean;
  traceAllocations?: boolean;
}

const ENGINE_OPTIONS = ["openStandardLibs", "injectObjects", "enableProxy", "traceAllocations"];

/** Makes engines. */
export class LuaFactory {
  readonly #wasm: WasmSource | undefined;

  /** `wasm`: where `perilune.wasm` is, when not beside the package. */
  constructor(wasm?: WasmSource) {
    this.#wasm = wasm;
  }

  /** A new engine, with its own state. */
  async createEngine(options: EngineOptions = {}): Promise<LuaEngine> {
    for (const name of Object.keys(options)) {
      if (!ENGINE_OPTIONS.includes(name)) throw new TypeError(`createEngine: option "${name}" is not supported`);
    }
    return new LuaEngine(await Lua.create({ wasm: this.#wasm }));
  }
}

/** A Lua state with wasmoon's names. */
export class LuaEngine {
  /** The global variables. */
  readonly global: {
    get(name: string): LuaValue;
    set(name: string, value: unknown): void;
    /** Calls a global function; all its results. */
    call(name: string, ...args: unknown[]): LuaMultiReturn<LuaValue>;
    /** Runs no further; frees the memory. */
    close(): void;
  };
  readonly #lua: Lua;

  /** @internal Constructor for `LuaFactory`. */
  constructor(lua: Lua) {
    this.#lua = lua;
    this.global = {
      get: (name) => lua.globals.get(name),
      set: (name, value) => lua.globals.set(name, value),
      call: (name, ...args) => LuaMultiReturn.from(lua.callAll(name, ...args)) as LuaMultiReturn<LuaValue>,
      // Nothing to flush: engines keep their tables in memory.
      close: () => void lua.close(),
    };
  }

  /** Runs a script, which may wait for promises; its first result. */
  async doString(script: string): Promise<LuaValue> {
    return this.#lua.evalAsync(script);
  }

  /** Runs a script; its first result. */
  doStringSync(script: string): LuaValue {
    return this.#lua.eval(script);
  }
}
