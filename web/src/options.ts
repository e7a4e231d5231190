/** Options of the public calls, and their checks: an unknown option is an error that names it. */

/** Callback that takes Lua's output: text as it is written, with its newlines. */
export type OutputCallback = (text: string) => void;

/** Callback that gives Lua's input: text or bytes, as much as there is; nothing at the end. */
export type InputCallback = () => string | Uint8Array | null | undefined | PromiseLike<string | Uint8Array | null>;

/** The source of a module; null or undefined when there is none. */
export type ModuleSource = string | Uint8Array | null | undefined;

/** Modules that `require` finds: by name or by path, or a function that finds them. */
export type Modules =
  | { readonly [name: string]: ModuleSource }
  | ReadonlyMap<string, ModuleSource>
  | ((name: string) => ModuleSource | PromiseLike<ModuleSource>);

import type { LuaImageError } from "./errors.js";
import type { HostFunction } from "./host/entries.js";
import { checkFunction } from "./host/functions.js";
import { checkDottedName } from "./names.js";

/** A storage of your own for the tables. See docs/storage.md. */
export type { Backend as StorageBackend } from "#js/storage/write_behind.js";
import type { Backend } from "#js/storage/write_behind.js";

/** Callback for the progress of loading the storage, in units of the storage's own (records, or bytes). */
export type LoadProgress = (progress: { loaded: number; total: number }) => void;

/** Address of the wasm module, its bytes, or the compiled module. */
export type WasmSource = URL | string | Response | BufferSource | WebAssembly.Module | PromiseLike<Response>;

/** Options of `Lua.create`; `L` is `Lua`, which this file does not know. */
export interface LuaOptions<L = unknown> {
  /**
   * The wasm module: where it is, its bytes, or the compiled module. Default: `perilune.wasm` beside the
   * package.
   */
  wasm?: WasmSource | undefined;
  /**
   * Storage of the external tables: `"memory://"` (default), `"idb://NAME"`, `"file:PATH"`, or a storage
   * object.
   */
  storage?: string | Backend | undefined;
  /**
   * The most bytes that all external tables together may take, with about 128 for each entry; default 256
   * MiB. Their names may take as much again, and so may what one call has changed, which is kept until it
   * ends. `Infinity`: no limit.
   */
  storageLimit?: number | undefined;
  /**
   * Durability of a commit: it survives a crash of the page or the browser (`"relaxed"`, default), or one of
   * the machine (`"strict"`).
   */
  durability?: "relaxed" | "strict" | undefined;
  /** True to read along in a storage that another tab, or another process, writes. */
  readOnly?: boolean | undefined;
  /**
   * Milliseconds to wait for a storage that another VM writes; default 3,000. `Infinity`: until it is free.
   */
  lockTimeout?: number | undefined;
  /** Receives the progress of loading the storage. */
  onProgress?: LoadProgress | undefined;
  /** The most that the VM's memory may grow to, in bytes; default 2 MiB. */
  memoryLimit?: number | undefined;
  /**
   * Libraries that programs have: all (`"strict"` and `"standard"`), or the base library and those that are
   * named.
   */
  sandbox?: "strict" | "standard" | { readonly libs: readonly string[] } | undefined;
  /** Takes what `print` and `io.write` write; default: `console.log`, by lines. */
  stdout?: OutputCallback | undefined;
  /** Takes what `io.stderr` writes; default: `console.error`, by lines. */
  stderr?: OutputCallback | undefined;
  /** Gives what `io.read` and `io.lines` read; default: nothing. */
  stdin?: InputCallback | undefined;
  /** Modules that `require` finds beside Lua's own; default: none. */
  modules?: Modules | undefined;
  /**
   * The most milliseconds that a call may run, where it says nothing else; default 30,000. `Infinity`: no
   * limit.
   */
  timeout?: number | undefined;
  /**
   * The most ticks of the interpreter that a call may use, where it says nothing else; default `Infinity`: no
   * limit.
   */
  fuel?: number | undefined;
  /**
   * Makes what is random the same in every run: an integer, of which the lowest 64 bits count. Default:
   * `"random"`. A VM that is restored keeps the state of its generator, unless this is given.
   */
  seed?: number | bigint | "random" | undefined;
  /** The program's clock: milliseconds since 1970. Timeouts have one of their own. */
  now?: (() => number) | undefined;
  /** Called about every half millisecond while Lua runs: true ends the call. */
  interrupted?: (() => boolean) | undefined;
  /** Host functions by name, as `register` takes them: they are there before anything runs. */
  functions?: { readonly [name: string]: HostFunction } | undefined;
  /**
   * True to keep the VM itself in the storage, too: its state after an eval is committed together with the
   * tables, and the next `Lua.create` with this storage goes on from there.
   */
  resume?: boolean | undefined;
  /**
   * Program (a string: Lua) that runs when a VM has begun anew, before anything else, and with `resume`
   * before anything is kept of it.
   */
  boot?: string | ((lua: L, previous?: LuaPrevious) => unknown) | undefined;
}

/** A VM in storage that could not be restored. */
export interface LuaPrevious {
  /** Reason: `build` (of another build of the wasm module), `died`, `corrupt`, `newer`. */
  readonly reason: LuaImageError;
  /** Image of that VM, for the module that it belongs to; undefined when it cannot be read. */
  readonly image: Uint8Array<ArrayBuffer> | undefined;
}

/**
 * Options of `Lua.restore`: those of `Lua.create`. Libraries and memory are those of the image; `memoryLimit`
 * may be another.
 */
export interface RestoreOptions extends Omit<LuaOptions, "sandbox" | "boot"> {
  /** Source of the external tables when both the image and the storage have some. */
  tables?: "image" | "storage" | undefined;
}

/**
 * Options of `lua.fork`: what is not given is as it is here, but for the storage: tables are copied into
 * memory.
 */
export type ForkOptions = Omit<RestoreOptions, "wasm">;

/** Options of `lua.snapshot`. */
export interface SnapshotOptions {
  /** True if the external tables are part of the image. Default: true when they are in memory only. */
  tables?: boolean | undefined;
}

/** Limits of a call. */
export interface LimitOptions {
  /** The most milliseconds that it may run; `Infinity`: no limit. Default: what `Lua.create` was given. */
  timeout?: number | undefined;
  /**
   * The most ticks of the interpreter that it may use; `Infinity`: no limit. Default: what `Lua.create` was
   * given.
   */
  fuel?: number | undefined;
}

/** Options of the evals. */
export interface EvalOptions extends LimitOptions {
  /** The chunk's name in messages and tracebacks. */
  name?: string | undefined;
  /**
   * Variables of a fresh environment: it has these, reads the globals, and keeps what the program assigns to
   * itself.
   */
  env?: { readonly [name: string]: unknown } | ReadonlyMap<unknown, unknown> | undefined;
}

/**
 * Options of `evalAsync`. All limits are for the whole call. Its own `timeout` counts from the start, waiting
 * included; that of the VM what the call runs.
 */
export interface EvalAsyncOptions extends EvalOptions {
  /** Ends the call where it waits. */
  signal?: AbortSignal | undefined;
}

/** The longest delay that timers know: 24 days. */
export const DELAY_MS_MAX: number = 2 ** 31 - 1;

/** Options that a later version will have. */
const LATER = ["signal"];

const MEMORY = "memory://";

type Check = (value: unknown) => string | undefined;

const isFunction: Check = (value) => (typeof value === "function" ? undefined : "must be a function");

const isBoolean: Check = (value) => (typeof value === "boolean" ? undefined : "must be true or false");

const isMilliseconds: Check = (value) =>
  isDelay(value) ? undefined : `must be 0 to ${DELAY_MS_MAX} milliseconds, or Infinity`;

const LIMITS: Record<string, Check> = {
  timeout: isMilliseconds,
  fuel: (value) =>
    value === Infinity || (Number.isSafeInteger(value) && (value as number) > 0)
      ? undefined
      : "must be a positive safe integer, or Infinity",
};

const CREATE: Record<string, Check> = {
  ...LIMITS,
  wasm: () => undefined,
  storage: (value) =>
    typeof value === "string" || isBackend(value) ? undefined : "must be a string or a storage object",
  storageLimit: (value) =>
    value === Infinity || (Number.isSafeInteger(value) && (value as number) >= 0)
      ? undefined
      : "must be a number of bytes, or Infinity",
  durability: (value) => (value === "relaxed" || value === "strict" ? undefined : 'must be "relaxed" or "strict"'),
  readOnly: isBoolean,
  lockTimeout: isMilliseconds,
  onProgress: isFunction,
  memoryLimit: (value) =>
    Number.isSafeInteger(value) && (value as number) > 0 && (value as number) < 2 ** 32
      ? undefined
      : "must be a number of bytes below 4 GiB",
  sandbox: (value) =>
    value === "strict" || value === "standard" || isLibs(value)
      ? undefined
      : 'must be "strict", "standard" or { libs: [names] }',
  stdout: isFunction,
  stderr: isFunction,
  stdin: isFunction,
  modules: (value) =>
    typeof value === "function" || (typeof value === "object" && value !== null)
      ? undefined
      : "must be an object, a Map or a function",
  seed: (value) =>
    Number.isSafeInteger(value) || typeof value === "bigint" || value === "random"
      ? undefined
      : 'must be a safe integer, a bigint or "random"',
  now: isFunction,
  interrupted: isFunction,
  functions: (value) => {
    if (typeof value !== "object" || value === null) return "must be an object of functions";
    for (const [name, fn] of Object.entries(value)) {
      checkDottedName(name);
      checkFunction(fn);
    }
    return undefined;
  },
  resume: isBoolean,
  boot: (value) => (typeof value === "string" || typeof value === "function" ? undefined : "must be Lua or a function"),
};

const RESTORE: Record<string, Check> = {
  ...CREATE,
  sandbox: () => "is that of the image",
  boot: () => "is for Lua.create",
  tables: (value) => (value === "image" || value === "storage" ? undefined : 'must be "image" or "storage"'),
};

const SNAPSHOT: Record<string, Check> = { tables: isBoolean };

const EVAL: Record<string, Check> = {
  ...LIMITS,
  name: (value) => (typeof value === "string" ? undefined : "must be a string"),
  env: (value) =>
    typeof value === "object" && value !== null && !Array.isArray(value) ? undefined : "must be an object or a Map",
};

const EVAL_ASYNC: Record<string, Check> = {
  ...EVAL,
  signal: (value) => (isSignal(value) ? undefined : "must be an AbortSignal"),
};

/** Refuses options of `Lua.create` that are not as they should be. */
export function checkCreateOptions(options: unknown): asserts options is LuaOptions {
  check("Lua.create", CREATE, options);
  checkResume("Lua.create", options as LuaOptions);
}

/** Refuses options of `call` (`Lua.restore`, `fork`) that are not as they should be. */
export function checkRestoreOptions(call: string, options: unknown): asserts options is RestoreOptions {
  check(call, RESTORE, options);
  checkResume(call, options as RestoreOptions);
}

/** Refuses options of `snapshot` that are not as they should be. */
export function checkSnapshotOptions(options: unknown): asserts options is SnapshotOptions {
  check("snapshot", SNAPSHOT, options);
}

/** Refuses options of `eval` that are not as they should be. */
export function checkEvalOptions(options: unknown): asserts options is EvalOptions {
  check("eval", EVAL, options);
}

/** Refuses options of `evalAsync` that are not as they should be. */
export function checkEvalAsyncOptions(options: unknown): asserts options is EvalAsyncOptions {
  check("evalAsync", EVAL_ASYNC, options);
}

function checkResume(call: string, { resume, storage = MEMORY, readOnly }: LuaOptions): void {
  if (resume !== true || (storage !== MEMORY && readOnly !== true)) return;
  throw new TypeError(`${call}: option "resume" needs a storage to write to: "idb://NAME", "file:PATH" or an object`);
}

function check(call: string, known: Record<string, Check>, options: unknown): void {
  if (typeof options !== "object" || options === null) throw new TypeError(`${call}: the options must be an object`);
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    const wrong = Object.hasOwn(known, name) ? known[name]?.(value) : unknown(name);
    if (wrong !== undefined) throw new TypeError(`${call}: option "${name}" ${wrong}`);
  }
}

function unknown(name: string): string {
  return LATER.includes(name) ? "is not available in this version" : "is unknown";
}

function isDelay(value: unknown): boolean {
  return value === Infinity || (typeof value === "number" && value >= 0 && value <= DELAY_MS_MAX);
}

function isLibs(value: unknown): boolean {
  const { libs } = (value ?? {}) as { libs?: unknown };
  return Array.isArray(libs) && libs.every((name) => typeof name === "string");
}

function isSignal(value: unknown): boolean {
  const signal = value as Partial<AbortSignal> | null;
  return typeof signal?.addEventListener === "function" && typeof signal.aborted === "boolean";
}

function isBackend(value: unknown): value is Backend {
  const backend = value as Partial<Backend> | null;
  return (
    typeof backend?.load === "function" && typeof backend.commit === "function" && typeof backend.close === "function"
  );
}
