/** The class `Lua`, the package's interface. Checks its arguments and passes them to the VM. */
import { clock } from "#js/clock.js";
import { changeEvent, type LuaChangeEvent } from "./storage/change_event.js";
import { dumpTables, loadTables } from "./storage/dump.js";
import { dumpJson } from "./storage/json_dump.js";
import { LuaError, storageError, type LuaStorageError } from "./errors.js";
import type { TableStore } from "#js/storage/table_store.js";
import { LuaFiles, giveFiles } from "./files.js";
import { LuaGlobals } from "./globals.js";
import type { HostFunction } from "./host/entries.js";
import type { HostEntries } from "./host/host_table.js";
import { LuaImage, bytesOfImage, type LuaRestored } from "./snapshot/image.js";
import { restoring } from "./snapshot/part.js";
import type { LuaTask } from "./snapshot/tasks.js";
import { loadModule, perilune } from "./instance/loader.js";
import { checkName, typeName } from "./names.js";
import {
  readCloseOptions,
  readCreateOptions,
  readDumpOptions,
  readEvalAsyncOptions,
  readEvalOptions,
  readForkOptions,
  readImageOptions,
  readLoadOptions,
  readRestoreOptions,
  readSnapshotOptions,
  type CloseOptions,
  type DumpOptions,
  type EvalAsyncOptions,
  type EvalOptions,
  type ForkOptions,
  type LoadOptions,
  type LuaOptions as Options,
  type LuaPrevious,
  type RestoreOptions,
  type SnapshotOptions,
  type Streams,
} from "./options.js";
import { OutputCollector, outputTo, type LuaRun, type Sink } from "./instance/output.js";
import { makeRef, type HostRef, type RefMembers } from "./host/refs.js";
import { gc, stats, type GcMode, type LuaStats } from "./stats.js";
import { preload } from "./storage/preload.js";
import { openStorage, prepareStorage, type StorageOptions } from "./storage/storage.js";
import type { LuaTable } from "./lua_table.js";
import { Operation } from "./codec/tags.js";
import { runTask } from "./tasks/tasks.js";
import { binaryToText, toBinary } from "./codec/utf8.js";
import type { LuaKey, LuaValue } from "./codec/values.js";
import { Vm, type VmParts } from "./vm.js";

/** Options of `Lua.create`. */
export interface LuaOptions extends Options<Lua> {}

/** Result of `tryEval`. */
export type LuaResult<T = LuaValue> = { ok: true; value: T } | { ok: false; error: LuaError };

/** Arguments of the listeners of `on`, by event. */
export interface LuaEvents {
  /** Sizes of a storage transaction that is complete. */
  commit: { tables: number; entries: number; bytes: number };
  /** Error of a storage transaction that failed. Nothing is lost: it will be tried again. */
  "storage-error": LuaStorageError;
  /** Changes of external tables by a batch. */
  change: LuaChangeEvent;
}

/** Result of `estimate`; a field is undefined where the platform does not say. */
export interface LuaStorageEstimate {
  /** Bytes in use by this origin. */
  usage: number | undefined;
  /** Bytes that it may use. */
  quota: number | undefined;
  /** True if the browser has promised not to clear it by itself. */
  persisted: boolean;
}

const EVENTS = ["commit", "storage-error", "change"];

/** A Lua 5.4 with its own memory, its own globals and its own external tables. */
export class Lua {
  /** The global variables. */
  readonly globals: LuaGlobals;
  /** The files of programs (option `files`). */
  readonly files: LuaFiles;
  /** Outcome of restoring it from an image; undefined when it has begun anew. */
  readonly restored: LuaRestored | undefined;
  /**
   * Image of the last VM in this storage that could not be restored, until there is another one; only with
   * `resume`.
   */
  readonly previousImage: Uint8Array<ArrayBuffer> | undefined;
  readonly #vm: Vm;
  /** Options that it was made with, which `fork` passes on. */
  readonly #options: LuaOptions & Streams;

  private constructor(
    vm: Vm,
    options: LuaOptions & Streams,
    tasks?: readonly LuaTask[],
    kept?: Uint8Array<ArrayBuffer>,
  ) {
    this.#vm = vm;
    this.#options = options;
    this.previousImage = kept;
    this.globals = new LuaGlobals(vm);
    this.files = new LuaFiles(vm);
    this.restored = tasks && {
      get missing() {
        return vm.host.missing;
      },
      tasks,
    };
  }

  /** Loads the wasm module (once per page), opens the storage and makes a VM. */
  static async create(given: LuaOptions = {}): Promise<Lua> {
    const options = readCreateOptions<Lua>(given);
    const loading = loadModule(options.wasm, perilune);
    if (options.resume === true) restoring.prepare();
    return await withStorage(options, loading, async (store, module) => {
      const parts = { module, store, sink: outputTo(options), options };
      if (options.resume === true) return await Lua.#resume(parts, options);
      const lua = new Lua(await Vm.create(parts), options);
      await lua.#boot();
      return lua;
    });
  }

  /** Restores the VM that is in the storage, or begins anew; either is kept there from then on. */
  static async #resume(parts: VmParts, options: LuaOptions & Streams): Promise<Lua> {
    const { resume } = await restoring.get();
    const { vm, tasks, previous, keep, kept } = await resume(parts);
    const lua = new Lua(vm, options, tasks, kept);
    if (tasks === undefined) {
      await lua.#boot(previous);
      keep();
    }
    return lua;
  }

  async #boot(previous?: LuaPrevious): Promise<void> {
    const { boot } = this.#options;
    try {
      giveFiles(this.#vm, this.#options);
      if (typeof boot === "string") await this.evalAsync(boot, { name: "boot" });
      else await boot?.(this, previous);
    } catch (error) {
      // What it has begun must not go on where nobody can reach it.
      await this.close({ discard: true }).catch(() => {});
      throw error;
    }
  }

  /**
   * Restores the VM of which `snapshot` made this image: in the same page, after a reload, in another tab or
   * another program. Throws a `LuaImageError` when it is none, damaged, or of another build of the wasm
   * module.
   */
  static async restore(image: Uint8Array | ArrayBuffer | LuaImage, given: RestoreOptions = {}): Promise<Lua> {
    const options = readRestoreOptions(given);
    if (image instanceof LuaImage && options.wasm !== undefined && options.wasm !== image.module) {
      throw new TypeError('Lua.restore: option "wasm" is that of the image');
    }
    if (image instanceof LuaImage) return await Lua.#restore(Promise.resolve(image.module), image.decoded, options);
    const bytes = bytesOfImage(image);
    const loading = startLoading(options.wasm);
    prepareStorage(options);
    const { checkBuild, decodeImage } = await restoring.get();
    const decoded = decodeImage(bytes);
    return await Lua.#restore(loading, decoded, options, (module) => checkBuild(decoded, module));
  }

  /** Unpacks an image once, so that `Lua.restore` can begin any number of VMs with it. */
  static async image(image: Uint8Array | ArrayBuffer, options: Pick<LuaOptions, "wasm"> = {}): Promise<LuaImage> {
    const { wasm } = readImageOptions(options);
    const bytes = bytesOfImage(image);
    const loading = startLoading(wasm);
    const { unpackImage } = await restoring.get();
    return await unpackImage(bytes, loading);
  }

  static async #restore(
    loading: Promise<WebAssembly.Module>,
    image: LuaImage["decoded"],
    options: RestoreOptions & Streams,
    check?: (module: WebAssembly.Module) => void,
    source?: HostEntries,
  ): Promise<Lua> {
    prepareStorage(options);
    const { fillingOf, keep, restoreVm } = await restoring.get();
    return await withStorage(options, loading, async (store, module) => {
      check?.(module);
      const filling = fillingOf(store, image.tables, options.tables);
      filling.first();
      const parts = { module, store, sink: outputTo(options), options };
      const { vm, tasks } = await restoreVm(parts, { image, source }, (ready) => {
        filling.last();
        ready.keepFiles();
        if (options.resume === true) keep(ready);
      });
      return new Lua(vm, options, tasks);
    });
  }

  /** Runs `code` and returns its first result. Throws a `LuaError`. */
  eval<T = LuaValue>(code: string, options?: EvalOptions): T {
    if (typeof code !== "string") throw sourceError(code);
    if (options === undefined) return this.#vm.evalFirst(code) as T;
    return this.evalAll(code, options)[0] as T;
  }

  /** Runs `code` and returns all its results. Throws a `LuaError`. */
  evalAll(code: string, options: EvalOptions = {}): LuaValue[] {
    if (typeof code !== "string") throw sourceError(code);
    return this.#vm.evalAll(code, readEvalOptions(options));
  }

  /** Runs `code` and returns its first result, or the error. Misuse (not a string ...) still throws. */
  tryEval<T = LuaValue>(code: string, options?: EvalOptions): LuaResult<T> {
    try {
      return { ok: true, value: this.eval<T>(code, options) };
    } catch (error) {
      if (error instanceof LuaError) return { ok: false, error };
      throw error;
    }
  }

  /**
   * Runs `code` and returns its results and its output. An error has what was written before it as `output`.
   * With more output than `outputLimit` it ends, with a `LuaMemoryError`.
   */
  run(code: string, options: EvalOptions = {}): LuaRun {
    const collector = new OutputCollector(this.#options.outputLimit);
    try {
      return collector.ended(
        this.#vm.into(collector, () =>
          this.#vm.fuelOf(
            () => this.evalAll(code, options),
            (fuel) => collector.end(fuel),
          ),
        ),
      );
    } catch (error) {
      throw collector.failed(error);
    }
  }

  /**
   * Runs `code` as `evalAsync` does, and resolves to its results and its output, as `run` returns them:
   * without that of other calls that run while it waits. Rejects as `run` throws.
   */
  async runAsync(code: string, given: EvalAsyncOptions = {}): Promise<LuaRun> {
    const options = readEvalAsyncOptions(given);
    const collector = new OutputCollector(this.#options.outputLimit, options);
    try {
      return collector.ended(await this.#evalAsync(code, options, collector));
    } catch (error) {
      throw collector.failed(error);
    }
  }

  /**
   * Runs `code` in a coroutine and resolves to its first result: where a host function returns a promise, Lua
   * waits for it, and other calls may run meanwhile. Rejects with a `LuaError`.
   */
  async evalAsync<T = LuaValue>(code: string, given: EvalAsyncOptions = {}): Promise<T> {
    const options = readEvalAsyncOptions(given);
    const { stdout = this.#options.stdout, stderr = this.#options.stderr } = options;
    const sink = (options.stdout ?? options.stderr) && outputTo({ stdout, stderr });
    return (await this.#evalAsync(code, options, sink))[0] as T;
  }

  #evalAsync(code: string, options: EvalAsyncOptions & Streams, sink?: Sink): Promise<LuaValue[]> {
    if (typeof code !== "string") throw sourceError(code);
    const { name = "eval", env } = options;
    const [operation, args] =
      env === undefined ? [Operation.startEval, [code, name]] : [Operation.startEvalEnv, [code, name, env]];
    return runTask(this.#vm, operation, args, options, sink);
  }

  /** Calls a global function, or one in a table (`"math.max"`), and returns its first result. */
  call<T = LuaValue>(name: string, ...args: unknown[]): T {
    return this.#vm.requestFirst(Operation.call, [checkName(name), ...args]) as T;
  }

  /** Calls a function as `call` does, and returns all its results. */
  callAll(name: string, ...args: unknown[]): LuaValue[] {
    return this.#vm.request(Operation.call, [checkName(name), ...args], undefined, this.#vm.conversion);
  }

  /** Calls a function as `call` does, in a coroutine: it may wait for promises. */
  async callAsync<T = LuaValue>(name: string, ...args: unknown[]): Promise<T> {
    return (await this.#vm.requestAsync(Operation.startCall, [checkName(name), ...args]))[0] as T;
  }

  /**
   * Gives a function to Lua under a name that stays: `host.NAME`, and a global (`"app.log"`: in a table). The
   * same name again replaces the function.
   */
  register(name: string, fn: HostFunction): void {
    this.#vm.register(name, fn);
  }

  /**
   * Makes an object one that can be given to Lua: with the members that are listed, and no others. Members in
   * a list of names can be read, and those that are functions called as methods.
   */
  ref(object: object, members?: readonly string[] | RefMembers): HostRef {
    return makeRef(this.#vm.host, object, members);
  }

  /** Returns the external table of this name, as `ext.table(name)` in Lua does: it is made if missing. */
  table(name: string): LuaTable;
  table<K extends LuaKey, V>(name: string): LuaTable<K, V, V>;
  table(name: string): unknown {
    this.#vm.checkOpen();
    return this.#vm.external(toBinary(checkName(name)));
  }

  /**
   * Makes the entries of tables that were read from storage (without names: of all) ahead of their first use,
   * a few milliseconds at a time. A table of a million entries would hold the page up for a second then.
   */
  async preload(...names: string[]): Promise<void> {
    this.#vm.checkOpen();
    const { store } = this.#vm;
    const binary = names.length === 0 ? store.names() : names.map((name) => toBinary(checkName(name)));
    await preload(store, binary).catch((error: unknown) => {
      throw storageError(error);
    });
  }

  /** Returns the names of all external tables. */
  tables(): string[] {
    this.#vm.checkOpen();
    return this.#vm.store.names().map(binaryToText);
  }

  /**
   * Runs `work` as one transaction over all external tables: what it throws takes back everything that it
   * wrote, or that Lua wrote when it was called from it. It cannot wait; transactions nest.
   */
  transaction<T>(work: () => T): T {
    this.#vm.checkOpen();
    if (typeof work !== "function") throw new TypeError(`transaction takes a function, not a ${typeName(work)}`);
    return this.#vm.transaction(work);
  }

  /**
   * Dumps all external tables in one piece, for `load`: as bytes with a version and checksums, or (`json`) as
   * text that people and other programs can read. Neither loses anything.
   */
  dump(options?: DumpOptions & { format?: "binary" | undefined }): Uint8Array<ArrayBuffer>;
  dump(options: DumpOptions & { format: "json" }): string;
  dump(options: DumpOptions = {}): Uint8Array<ArrayBuffer> | string {
    const { format } = readDumpOptions(options);
    this.#vm.checkOpen();
    return format === "json" ? dumpJson(this.#vm.store) : dumpTables(this.#vm.store);
  }

  /**
   * Makes the external tables what they were when `dump` gave this, all or nothing; tables that are not in it
   * are dropped, or with `keep` left alone. Throws a `LuaStorageError` when it is damaged (`corrupt`), of a
   * later version (`newer`), or something else (`foreign`).
   */
  load(dump: Uint8Array | ArrayBuffer | string, options: LoadOptions = {}): void {
    const { keep } = readLoadOptions(options);
    this.#vm.checkOpen();
    loadTables(this.#vm.store, dump, keep === true);
    this.#vm.keepFiles();
  }

  /**
   * Asks the browser not to clear the storage of this page when room gets scarce; resolves to whether it
   * agreed.
   */
  async persist(): Promise<boolean> {
    return (await globalThis.navigator?.storage?.persist?.()) ?? false;
  }

  /**
   * Estimates how much of the browser's storage this page uses and may use, in bytes, and says whether it is
   * safe from being cleared.
   */
  async estimate(): Promise<LuaStorageEstimate> {
    const storage = globalThis.navigator?.storage;
    const [{ usage, quota } = {}, persisted = false] = await Promise.all([
      storage?.estimate?.(),
      storage?.persisted?.(),
    ]);
    return { usage, quota, persisted };
  }

  /**
   * Makes an image of the whole VM, for `Lua.restore`: globals, functions, coroutines, calls that wait.
   * Values of JavaScript that Lua has do not travel, but for the names of registered functions. Throws a
   * `LuaError` of kind "usage" while a call runs.
   */
  snapshot(options: SnapshotOptions = {}): Uint8Array<ArrayBuffer> {
    const given = readSnapshotOptions(options);
    this.#vm.checkOpen();
    const { store } = this.#vm;
    const { tables = store.writer === null && store.mode === "open" } = given;
    return this.#vm.snapshot(tables ? dumpTables(store) : undefined);
  }

  /**
   * Makes a second VM that goes on from here, with everything that this one has: its host functions and
   * objects, and copies of its tables in memory (or in the storage that is given). Neither sees what happens
   * in the other after that.
   */
  async fork(given: ForkOptions = {}): Promise<Lua> {
    const options = readForkOptions(given);
    this.#vm.checkOpen();
    const { store, module } = this.#vm;
    const image = this.#vm.image();
    const host = this.#vm.host.entries();
    const tables = store.names().length > 0 && options.tables !== "storage" ? dumpTables(store) : undefined;
    const { stdout, stderr, outputLimit, stdin, modules, timeout, fuel, now, interrupted } = this.#options;
    const { strings, integers, jit } = this.#options;
    const all = {
      stdout,
      stderr,
      outputLimit,
      stdin,
      modules,
      timeout,
      fuel,
      now,
      interrupted,
      strings,
      integers,
      jit,
      ...options,
    };
    return await Lua.#restore(Promise.resolve(module), { ...image, tables }, all, undefined, host);
  }

  /**
   * Resolves when everything written so far is committed to storage; rejects with a `LuaStorageError` if it
   * cannot be.
   */
  async flush(): Promise<void> {
    this.#vm.checkOpen();
    await this.#vm.store.flush().catch((error: unknown) => {
      throw storageError(error);
    });
  }

  /**
   * Adds a listener, and returns a function that removes it. Listeners run in microtasks of their own, never
   * inside a call.
   */
  on<E extends keyof LuaEvents>(event: E, listener: (detail: LuaEvents[E]) => void): () => void {
    if (!EVENTS.includes(event)) throw new TypeError(`there is no event "${String(event)}"`);
    if (typeof listener !== "function") throw new TypeError("the listener must be a function");
    return this.#vm.store.on(event, (detail) => {
      if (event === "storage-error") detail = storageError(detail);
      if (event === "change") detail = changeEvent(detail, this.#vm);
      listener(detail as LuaEvents[E]);
    });
  }

  /** Returns figures of memory, garbage collector, tables and storage. */
  stats(): LuaStats {
    return stats(this.#vm);
  }

  /**
   * Ends the call that runs (when a host function, or a callback, says so) and all that wait, with a
   * `LuaInterruptError`. When nothing runs and nothing waits it does nothing: it is not kept for the next
   * call.
   */
  interrupt(): void {
    this.#vm.interrupt();
  }

  /** Drives the garbage collector, as `collectgarbage` does (manual, section 6.1). */
  gc(mode: GcMode = "collect"): LuaValue {
    return gc(this.#vm, mode);
  }

  /**
   * Flushes, closes the storage and frees the memory. When flushing fails it rejects and everything stays
   * open, so that nothing is lost; `discard` gives up what is not committed. Nothing of the program runs: no
   * finalizers of values that are alive.
   */
  async close(options: CloseOptions = {}): Promise<void> {
    await this.#vm.close(readCloseOptions(options));
  }

  declare [Symbol.asyncDispose]: () => Promise<void>;

  static {
    // Also where the platform is older than the symbol; compilers of `await using` look for it under this
    // name.
    const symbol: symbol = Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose");
    Object.defineProperty(this.prototype, symbol, {
      value(this: Lua) {
        return this.close();
      },
    });
  }
}

/** Begins to load the module, for one who may fail before it is there. */
function startLoading(wasm: Options["wasm"]): Promise<WebAssembly.Module> {
  const loading = loadModule(wasm, perilune);
  loading.catch(() => {});
  return loading;
}

/** Opens the storage while the module is loading; closes it again when that, or `work`, fails. */
async function withStorage(
  options: StorageOptions,
  loading: Promise<WebAssembly.Module>,
  work: (store: TableStore, module: WebAssembly.Module) => Promise<Lua>,
): Promise<Lua> {
  const held = holdEventLoop();
  const opening = openStorage(options);
  // The module is more likely to be what fails; then this must not be an unhandled rejection.
  opening.catch(() => {});
  try {
    const module = await loading;
    return await work(await opening, module);
  } catch (error) {
    await opening.then(
      (store) => store.close({ discard: true }),
      () => {},
    );
    throw error;
  } finally {
    clock.cancel(held);
  }
}

/** Milliseconds for which a VM that is being made keeps the event loop of Node alive, at most. */
const HOLD_MS = 10_000;

/**
 * Keeps Node's event loop alive by a timer. When nothing does, Node waits for all that V8 does in the
 * background before it goes on: the first VM has its interpreter optimised then, for some 80 ms.
 */
function holdEventLoop(): unknown {
  return clock.later(() => {}, HOLD_MS);
}

function sourceError(code: unknown): TypeError {
  return new TypeError(`the source must be a string, not ${typeName(code)}`);
}
