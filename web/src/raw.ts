/**
 * `perilune/raw`: the module as it is, driven by bytes (docs/codec.md), for programs with a conversion of
 * their own.
 *
 * @packageDocumentation
 */
import { createHostImports, noHost, type Host } from "#js/imports.js";
import { storageError } from "./errors.js";
import { instantiate, type Exports } from "./instance/imports.js";
import { loadModule, perilune } from "./instance/loader.js";
import { isFunction, isStorage, only, readOptions, type Rules } from "./option_rules.js";
import type { StorageBackend, WasmSource } from "./options.js";
import { openStorage } from "./storage/storage.js";

export {
  End,
  HOST_ID_FIRST,
  IO_BUFFER_BYTES,
  Operation,
  REPLY_HEADER_BYTES,
  REPLY_SPILLED,
  Service,
  Status,
  Stream,
  Tag,
} from "./codec/tags.js";
export type { Host } from "#js/imports.js";

/** Options of `openRaw`. */
export interface RawOptions {
  /** The option of `Lua.create`. */
  wasm?: WasmSource;
  /** The option of `Lua.create`. */
  storage?: string | URL | StorageBackend;
  /** Receives output that does not wait for the reply. Stream 1 is stdout, 2 is stderr. */
  output?: (stream: number, bytes: Uint8Array) => void;
  /** Functions behind `host_call`, `host_take` and `host_release`, with addresses and lengths. */
  host?: Host;
}

/** The module's exports and its storage. Call `configure` (optional), then `init`, first. */
export interface RawLua extends Exports {
  /** Resolves when everything written so far is committed. */
  flush(): Promise<void>;
  /** Flushes and closes the storage. */
  close(): Promise<void>;
}

const RULES: Rules = {
  wasm: (wasm, wrong) => (wasm === null ? wrong("must be a URL, a Response, bytes or a WebAssembly.Module") : wasm),
  storage: isStorage,
  output: isFunction,
  host: only((value) => {
    const { call, take, release } = (value ?? {}) as Partial<Host>;
    return [call, take, release].every((member) => typeof member === "function");
  }, "an object with call, take and release"),
};

/** Makes an instance. */
export async function openRaw(options: RawOptions = {}): Promise<RawLua> {
  const memory = () => exports.memory;
  const { wasm, storage, output, host = noHost(memory) } = readOptions<RawOptions>("openRaw", RULES, options);
  const module = await loadModule(wasm, perilune);
  const store = await openStorage({ storage });
  const hostImports = createHostImports({ memory, host, ...(output && { output }) });
  hostImports.attach(store);
  const exports = await instantiate(module, hostImports).catch(async (error: unknown) => {
    await store.close({ discard: true });
    throw error;
  });
  return { ...exports, flush: () => store.flush().catch(fail), close: () => store.close().catch(fail) };
}

function fail(error: unknown): never {
  throw storageError(error);
}
