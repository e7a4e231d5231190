/**
 * `perilune/wasmoon`: the part of wasmoon's interface that most programs use, over Perilune, for moving step by step.
 *
 * Results follow Perilune's conversion, so strings and numbers arrive unharmed. JavaScript functions cannot be given to
 * Lua in this version: they are refused with a TypeError.
 *
 * @packageDocumentation
 */
import { Lua, type LuaValue, type WasmSource } from "./index.js";

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
    /** Runs no further; frees the memory. */
    close(): void;
  };
  readonly #lua: Lua;

  /** @internal Made by `LuaFactory`. */
  constructor(lua: Lua) {
    this.#lua = lua;
    this.global = {
      get: (name) => lua.globals.get(name),
      set: (name, value) => lua.globals.set(name, value),
      // Nothing to flush: engines keep their tables in memory.
      close: () => void lua.close(),
    };
  }

  /** Runs a script; its first result. */
  async doString(script: string): Promise<LuaValue> {
    return this.#lua.eval(script);
  }

  /** Runs a script; its first result. */
  doStringSync(script: string): LuaValue {
    return this.#lua.eval(script);
  }
}
