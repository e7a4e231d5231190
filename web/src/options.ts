/** Options of the public calls, and their checks: an unknown option is an error that names it. */

/** Callback that takes Lua's output: text as it is written, with its newlines. */
export type OutputCallback = (text: string) => void;

/** Destination of Lua's output: a callback, or a stream such as Node's `process.stdout`. */
export type OutputTarget = OutputCallback | { write(text: string): unknown };

/**
 * Callback that gives Lua's input: text or bytes, as much as there is; nothing at the end. Calls that can
 * wait wait for a promise of it.
 */
export type InputCallback = () =>
  string | Uint8Array | null | undefined | PromiseLike<string | Uint8Array | null | undefined>;

/** Source of Lua's input: a callback, or a stream such as Node's `process.stdin` for calls that can wait. */
export type InputSource = InputCallback | AsyncIterable<string | Uint8Array>;

/** A file that a VM begins with. A read-only one is given anew each time, and never kept. */
export type FileContent =
  string | Uint8Array | { readonly content: string | Uint8Array; readonly readOnly?: boolean | undefined };

/** Options of all files together. */
export interface FileSystemOptions {
  /** True if programs can read files, and change none. */
  readOnly?: boolean | undefined;
  /** The most bytes of all contents; default: what the memory has room for. */
  limit?: number | undefined;
  /**
   * Keeps the files in the storage, in an external table of this name (`true`: `"files"`). Default: true when
   * there is a storage to write to.
   */
  keep?: boolean | string | undefined;
}

/** Streams of options that were read: callbacks, whatever was given. */
export interface Streams {
  readonly stdout?: OutputCallback | undefined;
  readonly stderr?: OutputCallback | undefined;
  readonly stdin?: InputCallback | undefined;
}

/** The source of a module; null or undefined when there is none. */
export type ModuleSource = string | Uint8Array | null | undefined;

/** Modules that `require` finds: by name or by path, or a function that finds them. */
export type Modules =
  | { readonly [name: string]: ModuleSource }
  | ReadonlyMap<string, ModuleSource>
  | ((name: string) => ModuleSource | PromiseLike<ModuleSource>);

import type { LuaImageError } from "./errors.js";
import type { HostFunction } from "./host/entries.js";
import { functionsIn } from "./host/functions.js";
import type { Conversion } from "./codec/values.js";
import { isMap, isPlain, isUint8Array } from "./brands.js";
import {
  isBoolean,
  isCallable,
  isFunction,
  isMilliseconds,
  isStorage,
  only,
  readOptions,
  type Rule,
  type Rules,
} from "./option_rules.js";

/** A storage of your own for the tables. See docs/storage.md. */
export type { Backend as StorageBackend } from "#js/storage/write_behind.js";
import type { Backend } from "#js/storage/write_behind.js";

/** Callback for the progress of loading the storage, in units of the storage's own (records, or bytes). */
export type LoadProgress = (progress: { loaded: number; total: number }) => void;

/** Address of the wasm module, its bytes, or the compiled module. */
export type WasmSource = URL | string | Response | BufferSource | WebAssembly.Module | PromiseLike<Response>;

/** Options of what is converted to JavaScript: results, arguments of host functions, contents of tables. */
export type ConversionOptions = Conversion;

/** Options of `Lua.create`; `L` is `Lua`, which this file does not know. */
export interface LuaOptions<L = unknown> extends ConversionOptions {
  /**
   * The wasm module: where it is, its bytes, or the compiled module. Default: `perilune.wasm` beside the
   * package.
   */
  wasm?: WasmSource | undefined;
  /**
   * Storage of the external tables: `"memory://"` (default), `"idb://NAME"`, `"file:PATH"`, a URL of a file,
   * or a storage object.
   */
  storage?: string | URL | Backend | undefined;
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
  /** Milliseconds that IndexedDB may take to answer, when opened; default 30,000. `Infinity`: no limit. */
  openTimeout?: number | undefined;
  /** Receives the progress of loading the storage. */
  onProgress?: LoadProgress | undefined;
  /**
   * The most that the VM's memory may grow to, in bytes; default 2 MiB. `"large"` is 16 MiB, for programs
   * such as compilers.
   */
  memoryLimit?: number | "large" | undefined;
  /**
   * Libraries that programs have: all (`"strict"` and `"standard"`), or the base library and those that are
   * named.
   */
  sandbox?: "strict" | "standard" | { readonly libs: readonly string[] } | undefined;
  /** Takes what `print` and `io.write` write; default: `console.log`, by lines. */
  stdout?: OutputTarget | undefined;
  /** Takes what `io.stderr` writes; default: `console.error`, by lines. */
  stderr?: OutputTarget | undefined;
  /**
   * The most bytes of output that `run` and `runAsync` keep; default 16 MiB. Writing more ends with an error.
   */
  outputLimit?: number | undefined;
  /** Gives what `io.read` and `io.lines` read; default: nothing. */
  stdin?: InputSource | undefined;
  /**
   * Files of programs, by path: `io.open`, `io.lines`, `loadfile`, `dofile`, `os.remove` and their kin,
   * `require` by `package.path`, and `os.exit`. Default: none of these is there. A file that the storage has
   * kept is as it is there.
   */
  files?: { readonly [path: string]: FileContent } | ReadonlyMap<string, FileContent> | undefined;
  /** Options of all files together; programs have files with this alone, too. */
  fileSystem?: FileSystemOptions | undefined;
  /** Arguments that each program gets as `...`, and in the global `arg`. */
  args?: readonly string[] | undefined;
  /** Environment variables, for `os.getenv`; default: none. */
  env?: { readonly [name: string]: string } | undefined;
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
  /**
   * False to interpret everything. Default: functions that run often are compiled to WebAssembly, where the
   * platform allows that at run time. Results are the same.
   */
  jit?: boolean | undefined;
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

/** Knobs in place of `jit: true`, for tests of the compiler: see `jit_tune` in src/jit/mod.rs. */
export interface JitKnobs {
  readonly threshold: number;
  readonly length: number;
  readonly exitSeed: number;
}

/** A VM in storage that could not be restored. */
export interface LuaPrevious {
  /** Reason: `build` (of another build of the wasm module), `died`, `corrupt`, `newer`. */
  readonly reason: LuaImageError;
  /** Image of that VM, for the module that it belongs to; undefined when it cannot be read. */
  readonly image: Uint8Array<ArrayBuffer> | undefined;
}

/**
 * Options of `Lua.restore`: those of `Lua.create`. Libraries, files, arguments and memory are those of the
 * image; `memoryLimit` may be another.
 */
export interface RestoreOptions extends Omit<LuaOptions, "sandbox" | "boot" | "files" | "fileSystem" | "args" | "env"> {
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
export interface EvalOptions extends LimitOptions, ConversionOptions {
  /** The chunk's name in messages and tracebacks. */
  name?: string | undefined;
  /**
   * Variables of a fresh environment: it has these, reads the globals, and keeps what the program assigns to
   * itself.
   */
  env?: { readonly [name: string]: unknown } | ReadonlyMap<unknown, unknown> | undefined;
}

/**
 * Options of `evalAsync` and `runAsync`. All limits are for the whole call. Its own `timeout` counts from the
 * start, waiting included; that of the VM what the call runs.
 */
export interface EvalAsyncOptions extends EvalOptions {
  /** Ends the call where it waits. */
  signal?: AbortSignal | undefined;
  /**
   * Takes what this call writes to stdout. Default: the one of `Lua.create`, and in `runAsync`, which
   * collects it in any case, none.
   */
  stdout?: OutputTarget | undefined;
  /** Takes what this call writes to stderr, in the same way. */
  stderr?: OutputTarget | undefined;
}

/** Options of `lua.dump`. */
export interface DumpOptions {
  /** `"binary"` (default), or `"json"` for people and other programs. */
  format?: "binary" | "json" | undefined;
}

/** Options of `lua.load`. */
export interface LoadOptions {
  /** True to leave tables alone that are not in the dump. */
  keep?: boolean | undefined;
}

/** Options of `lua.close`. */
export interface CloseOptions {
  /** True to give up what is not committed. */
  discard?: boolean | undefined;
}

/** The most bytes of output that `run` can be told to keep: what V8 can hold as one string. */
export const OUTPUT_BYTES_MAX = 0x1fff_ffe8;

const MEMORY = "memory://";

const isCount = (value: unknown, least: number) => Number.isSafeInteger(value) && (value as number) >= least;

const LIMITS: Rules = {
  timeout: isMilliseconds,
  fuel: only((value) => value === Infinity || isCount(value, 1), "a positive safe integer, or Infinity"),
};

const CONVERSION: Rules = {
  strings: only((value) => value === "auto" || value === "bytes", '"auto" or "bytes"'),
  integers: only(
    (value) => value === "auto" || value === "number" || value === "bigint",
    '"auto", "number" or "bigint"',
  ),
};

function isKnobs(value: unknown): value is JitKnobs {
  const { threshold, length, exitSeed } = (value ?? {}) as Partial<JitKnobs>;
  return [threshold, length, exitSeed].every((knob) => isCount(knob, 0));
}

const WASM: Rules = {
  // Which of them it is, the loader finds out.
  wasm: only(
    (value) => typeof value === "string" || (typeof value === "object" && value !== null),
    "a URL, a Response, bytes or a WebAssembly.Module",
  ),
};

const isOutput: Rule = (value, wrong) => {
  if (isCallable(value)) return value;
  const stream = value as { write?: unknown } | null | undefined;
  if (typeof stream?.write !== "function") return wrong("must be a function or a stream");
  return (text: string) => void (stream as { write(text: string): unknown }).write(text);
};

const isInput: Rule = (value, wrong) => {
  if (isCallable(value)) return value;
  const stream = value as Partial<AsyncIterable<unknown>> | null | undefined;
  if (typeof stream?.[Symbol.asyncIterator] !== "function") return wrong("must be a function or a stream");
  let iterator: AsyncIterator<unknown> | undefined;
  return async () => {
    // Not before it is asked for: a stream that is read keeps Node running.
    iterator ??= (stream as AsyncIterable<unknown>)[Symbol.asyncIterator]();
    const { done, value } = await iterator.next();
    return done === true ? null : value;
  };
};

/** The files of an option as path, content, and whether each is read-only. */
export type GivenFiles = readonly (readonly [path: string, content: string | Uint8Array, readOnly: boolean])[];

function filesIn(files: object, wrong: (why: string) => never): GivenFiles {
  const entries: [unknown, unknown][] = isMap(files) ? [...files] : Object.entries(files);
  return entries.map(([path, file]) => {
    const given = isRecord(file) ? (file as { content?: unknown; readOnly?: unknown }) : { content: file };
    const { content, readOnly = false } = given;
    if (typeof path !== "string") return wrong("must have paths that are strings");
    if ((typeof content !== "string" && !isUint8Array(content)) || typeof readOnly !== "boolean") {
      return wrong(`must be an object of strings, bytes or { content, readOnly }: "${path}" is none`);
    }
    // A copy: nobody changes it between here and its use.
    return [path, typeof content === "string" ? content : content.slice(), readOnly];
  });
}

const FILE_SYSTEM: Rules = {
  readOnly: isBoolean,
  limit: only((value) => isCount(value, 0), "a number of bytes"),
  keep: only(
    (value) => typeof value === "boolean" || (typeof value === "string" && value !== ""),
    "true, false or the name of a table",
  ),
};

const CREATE: Rules = {
  ...LIMITS,
  ...CONVERSION,
  ...WASM,
  storage: isStorage,
  storageLimit: only((value) => value === Infinity || isCount(value, 0), "a number of bytes, or Infinity"),
  durability: only((value) => value === "relaxed" || value === "strict", '"relaxed" or "strict"'),
  readOnly: isBoolean,
  lockTimeout: isMilliseconds,
  openTimeout: isMilliseconds,
  onProgress: isFunction,
  memoryLimit: only(
    (value) => value === "large" || (isCount(value, 1) && (value as number) < 2 ** 32),
    'a number of bytes below 4 GiB, or "large"',
  ),
  sandbox: (value, wrong) => {
    if (value === "strict" || value === "standard") return value;
    const libs = copyOfNames((value as { libs?: unknown } | null)?.libs);
    return libs === undefined ? wrong('must be "strict", "standard" or { libs: [names] }') : { libs };
  },
  stdout: isOutput,
  stderr: isOutput,
  outputLimit: only(
    (value) => isCount(value, 0) && (value as number) <= OUTPUT_BYTES_MAX,
    `a number of bytes up to ${OUTPUT_BYTES_MAX}`,
  ),
  stdin: isInput,
  files: (value, wrong) => (isRecord(value) ? filesIn(value, wrong) : wrong("must be an object or a Map of files")),
  fileSystem: (value, wrong) => {
    if (!isRecord(value) || isMap(value)) return wrong("must be an object");
    return readOptions("fileSystem", FILE_SYSTEM, value);
  },
  args: (value, wrong) => copyOfNames(value) ?? wrong("must be an array of strings"),
  env: (value, wrong) => {
    if (!isRecord(value) || isMap(value)) return wrong("must be an object of strings");
    const entries = Object.entries(value).filter(([, of]) => of !== undefined);
    return entries.every(([, of]) => typeof of === "string") ? entries.flat() : wrong("must be an object of strings");
  },
  modules: only((value) => isCallable(value) || isRecord(value), "an object, a Map or a function"),
  seed: only(
    (value) => Number.isSafeInteger(value) || typeof value === "bigint" || value === "random",
    'a safe integer, a bigint or "random"',
  ),
  now: isFunction,
  interrupted: isFunction,
  jit: only((value) => typeof value === "boolean" || isKnobs(value), "true or false"),
  functions: (value, wrong) => {
    if (!isRecord(value) || isMap(value)) return wrong("must be an object of functions");
    return functionsIn(value, wrong);
  },
  resume: isBoolean,
  boot: only((value) => typeof value === "string" || isCallable(value), "Lua or a function"),
};

const RESTORE: Rules = {
  ...CREATE,
  sandbox: (_, wrong) => wrong("is that of the image"),
  boot: (_, wrong) => wrong("is for Lua.create"),
  ...Object.fromEntries(
    ["files", "fileSystem", "args", "env"].map((name): [string, Rule] => [
      name,
      (_, wrong) => wrong("is that of the image"),
    ]),
  ),
  tables: only((value) => value === "image" || value === "storage", '"image" or "storage"'),
};

const FORK: Rules = { ...RESTORE, wasm: (_, wrong) => wrong("is that of the VM that is forked") };

const EVAL: Rules = {
  ...LIMITS,
  ...CONVERSION,
  name: only((value) => typeof value === "string", "a string"),
  env: only(isRecord, "an object or a Map"),
};

const EVAL_ASYNC: Rules = { ...EVAL, signal: only(isSignal, "an AbortSignal"), stdout: isOutput, stderr: isOutput };

const DUMP: Rules = { format: only((value) => value === "binary" || value === "json", '"binary" or "json"') };

/** Reads the options of `Lua.create`. */
export function readCreateOptions<L>(given: unknown): LuaOptions<L> & Streams {
  return checkResume("Lua.create", readOptions<LuaOptions<L> & Streams>("Lua.create", CREATE, given));
}

/** Reads the options of `Lua.restore`. */
export function readRestoreOptions(given: unknown): RestoreOptions & Streams {
  return checkResume("Lua.restore", readOptions<RestoreOptions & Streams>("Lua.restore", RESTORE, given));
}

/** Reads the options of `lua.fork`. */
export function readForkOptions(given: unknown): ForkOptions & Streams {
  return checkResume("fork", readOptions<ForkOptions & Streams>("fork", FORK, given));
}

/** Reads the options of `Lua.image`. */
export function readImageOptions(given: unknown): Pick<LuaOptions, "wasm"> {
  return readOptions("Lua.image", WASM, given);
}

/** Reads the options of `lua.snapshot`. */
export function readSnapshotOptions(given: unknown): SnapshotOptions {
  return readOptions("snapshot", { tables: isBoolean }, given);
}

/** Reads the options of `lua.eval` and those like it. */
export function readEvalOptions(given: unknown): EvalOptions {
  return readOptions("eval", EVAL, given);
}

/** Reads the options of `lua.evalAsync` and `lua.runAsync`. */
export function readEvalAsyncOptions(given: unknown): EvalAsyncOptions & Streams {
  return readOptions("evalAsync", EVAL_ASYNC, given);
}

/** Reads the options of `get`: those that are not given are `usual`. */
export function readGetOptions(given: unknown, usual: Conversion): Conversion {
  return conversionOf(readOptions("get", CONVERSION, given), usual);
}

/** Returns the conversion that options ask for; what they do not say is `usual`. */
export function conversionOf({ strings, integers }: ConversionOptions, usual: Conversion = {}): Conversion {
  return { strings: strings ?? usual.strings, integers: integers ?? usual.integers };
}

/** Reads the options of `lua.dump`. */
export function readDumpOptions(given: unknown): DumpOptions {
  return readOptions("dump", DUMP, given);
}

/** Reads the options of `lua.load`. */
export function readLoadOptions(given: unknown): LoadOptions {
  return readOptions("load", { keep: isBoolean }, given);
}

/** Reads the options of `lua.close`. */
export function readCloseOptions(given: unknown): CloseOptions {
  return readOptions("close", { discard: isBoolean }, given);
}

function checkResume<T extends Pick<LuaOptions, "resume" | "storage" | "readOnly">>(call: string, options: T): T {
  const { resume, storage = MEMORY, readOnly } = options;
  if (resume !== true || (storage !== MEMORY && readOnly !== true)) return options;
  throw new TypeError(`${call}: option "resume" needs a storage to write to: "idb://NAME", "file:PATH" or an object`);
}

/** True for a plain object or a Map: of anything else only a part would be seen. */
function isRecord(value: unknown): value is object {
  return typeof value === "object" && value !== null && (isPlain(value) || isMap(value));
}

function copyOfNames(names: unknown): string[] | undefined {
  if (!Array.isArray(names)) return undefined;
  const copy: unknown[] = [...(names as unknown[])];
  return copy.every((name) => typeof name === "string") ? copy : undefined;
}

function isSignal(value: unknown): boolean {
  const { addEventListener, removeEventListener, aborted } = (value ?? {}) as Partial<AbortSignal>;
  return (
    typeof addEventListener === "function" && typeof removeEventListener === "function" && typeof aborted === "boolean"
  );
}
