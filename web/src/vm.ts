/**
 * A running Lua behind the public classes: an instance, the values that it hands out, the calls that wait,
 * and its end.
 */
import type { TableStore } from "#js/storage/table_store.js";
import { LuaClosedError, LuaError, storageError } from "./errors.js";
import { makeFunction, makeReference, type HandleOwner, type LuaFunction, type LuaReference } from "./host/handles.js";
import { isThenable, resultError, resultsOf, writeThrown } from "./host/host_calls.js";
import type { HostFunction } from "./host/entries.js";
import { checkFunction } from "./host/functions.js";
import { imageError } from "./snapshot/errors.js";
import { encodeImage, type ImageHead } from "./snapshot/format.js";
import type { MemoryPages } from "./snapshot/pages.js";
import type { TaskPart } from "./snapshot/parts.js";
import { instantiate, type Exports } from "./instance/imports.js";
import { Instance, busyError, type RestoreState, type InstanceOptions } from "./instance/instance.js";
import { checkDottedName } from "./names.js";
import { Closing, type Allowance, type RunLimits } from "./instance/limits.js";
import type { CloseOptions, LuaOptions, Streams } from "./options.js";
import type { Sink } from "./instance/output.js";
import { makeServices } from "./host/services.js";
import { LuaTable, batched } from "./lua_table.js";
import { Operation, Status } from "./codec/tags.js";
import { interruptedError, runTask, type Step, type Task, type TaskOwner } from "./tasks/tasks.js";
import { readText } from "./codec/utf8.js";
import type { Conversion, LuaValue } from "./codec/values.js";

/** Parts that a VM is made of. */
export interface VmParts {
  module: WebAssembly.Module;
  store: TableStore;
  sink: Sink;
  options: InstanceOptions & Pick<LuaOptions, "modules" | "functions"> & Pick<Streams, "stdin">;
}

/** A running Lua. */
export class Vm extends Instance implements HandleOwner, TaskOwner {
  /** The module that it is an instance of. */
  readonly module: WebAssembly.Module;
  readonly waiting: Set<Task> = new Set();
  /** False for a VM that was given no files; one that was restored may have some. */
  mayHaveFiles = false;
  running: Task | undefined;
  readonly #tables = new Map<string, LuaTable>();
  /** Promise of its end while it is being closed. */
  protected closing: Promise<void> | undefined;

  protected constructor(module: WebAssembly.Module, store: TableStore, sink: Sink, options: InstanceOptions) {
    super(store, sink, options);
    this.module = module;
  }

  /** Makes the VM; rejects when there is no memory for it. */
  static async create({ module, store, sink, options }: VmParts): Promise<Vm> {
    const vm = new Vm(module, store, sink, options);
    vm.begin(await instantiate(module, vm.hostImports), options);
    return vm;
  }

  /**
   * Makes a VM that goes on where an image was made. `goOn` has the calls that waited there wait again,
   * before anything runs. For snapshot/restore.ts, which says what is wrong with the image when this fails.
   */
  static async restore<T>(
    { module, store, sink, options }: VmParts,
    restoreState: RestoreState,
    goOn: (vm: Vm) => T,
  ): Promise<T> {
    const vm = new Vm(module, store, sink, options);
    try {
      const exports = await instantiate(module, vm.hostImports);
      // In one go: some of what waited needs no more than a microtask to go on.
      vm.begin(exports, options, restoreState);
      return goOn(vm);
    } catch (error) {
      vm.#cancelAll(() => new LuaClosedError());
      throw error;
    }
  }

  /** Has all files that are kept written to their table, which may have lost what it had of them. */
  keepFiles(): void {
    if (this.mayHaveFiles && this.enterable && this.store.mode === "open") this.request(Operation.files, ["keep"]);
  }

  /** Captures the whole VM for `restore`. */
  image(): RestoreState["image"] {
    const { pages, meta } = this.capture(this.#waitingTasks());
    const memory = pages.capture();
    return { meta, memoryLimit: this.memoryLimit, memory: () => memory };
  }

  /** Captures the whole VM in bytes, with a dump of its tables where one is given. */
  snapshot(tables?: Uint8Array): Uint8Array<ArrayBuffer> {
    const { pages, build, head } = this.snapshotParts();
    this.clearFree();
    return encodeImage(pages.packed(), build, { ...head, tables });
  }

  /** Captures the parts of an image of this moment. Valid until anything runs. */
  snapshotParts(): { pages: MemoryPages; build: string; head: ImageHead } {
    const { pages, build, meta } = this.capture(this.#waitingTasks());
    if (build === undefined) throw imageError("build", "this perilune.wasm does not say which build it is");
    const { memoryBytes } = pages;
    return { pages, build, head: { memoryBytes, memoryLimit: this.memoryLimit, meta, tables: undefined } };
  }

  /** Gives a function to Lua under a name that stays. */
  register(name: string, fn: HostFunction): void {
    checkDottedName(name);
    checkFunction(fn);
    this.host.register(name, fn, (id) => this.request(Operation.register, [id, name]));
  }

  /** Makes the function behind a handle. */
  function(handle: number): LuaFunction {
    return makeFunction(this, handle);
  }

  /** Makes the thread or userdata behind a handle. */
  reference(type: number, handle: number): LuaReference {
    return makeReference(this, type, handle);
  }

  /**
   * Returns the external table of this name (a binary string), made if missing; the same object for the same
   * table.
   */
  external(name: string): LuaTable {
    let table = this.#tables.get(name);
    if (table === undefined || table.dropped) {
      try {
        // Making one is a write like any other.
        table = new LuaTable(
          batched(this.store, () => this.store.open(name)),
          this,
        );
      } catch (error) {
        throw storageError(error);
      }
      this.#tables.set(name, table);
    }
    return table;
  }

  /** Runs `work` as one transaction over all external tables. */
  transaction<T>(work: () => T): T {
    let thrown: { error: unknown } | undefined;
    const run = () => {
      try {
        const result = work();
        // Whatever it would still do would be after the end.
        if (isThenable(result))
          throw new TypeError("a transaction cannot wait: its function must not return a promise");
        return result;
      } catch (error) {
        thrown = { error };
        throw error;
      }
    };
    try {
      return batched(this.store, () => this.store.transaction(run));
    } catch (error) {
      this.keepFiles();
      // The program's own errors are its own; what else there is is the store's.
      throw thrown === undefined ? storageError(error) : error;
    }
  }

  /** Runs an operation that may wait; resolves to all its results. */
  requestAsync(operation: number, args: readonly unknown[]): Promise<LuaValue[]> {
    return runTask(this, operation, args);
  }

  /** Starts a task. */
  start(operation: number, args: readonly unknown[], allowance: Allowance, as: Conversion): Step {
    return this.#metered(allowance, (limits) => {
      this.send(operation, args, limits);
      return this.#step(as);
    });
  }

  /** Resumes a task: what it waited for has settled. */
  resume(task: number, name: string, fulfilled: boolean, value: unknown, allowance: Allowance, as: Conversion): Step {
    this.enter();
    const limits = allowance.left();
    let length = 0;
    if (fulfilled) {
      try {
        length = this.put([task, true, ...resultsOf(value)], limits);
      } catch (error) {
        value = resultError(name, error);
      }
    }
    if (length === 0) length = writeThrown(value, this.errors, (thrown) => this.put([task, false, thrown], limits));
    return this.#metered(allowance, () => {
      this.execute(Operation.resume, length);
      return this.#step(as);
    });
  }

  /**
   * Ends a task that waits: the traceback of where it did; or what its end waits for, which it does not with
   * `now`. Undefined when nothing can run now, and it is to be asked again.
   */
  cancel(task: number, allowance: Allowance, now: boolean): Step | undefined {
    if (this.state === "running") {
      if (!now) return undefined;
      const { sink } = this;
      queueMicrotask(() => {
        try {
          this.into(sink, () => this.cancel(task, allowance, true));
        } catch {
          // The call has ended; what it had to close took too long.
        }
      });
    }
    if (!this.enterable) return [];
    return this.#metered(allowance, (limits) => {
      this.send(Operation.cancel, [task, now], limits);
      return this.#step({});
    });
  }

  heldBy(_: Task): Promise<unknown> | undefined {
    return this.closing;
  }

  /** Ends the call that runs, and all that wait. */
  interrupt(): void {
    this.#cancelAll(interruptedError);
    this.interruptCall();
  }

  /**
   * Runs `run`, whose output goes to this sink, and without one to that of the VM; in a task, if one is
   * given.
   */
  into<T>(sink: Sink | undefined, run: () => T, task: Task | undefined = this.running): T {
    const { sink: outer, running } = this;
    this.sink = sink ?? this.output;
    this.running = task;
    try {
      return run();
    } finally {
      this.sink = outer;
      this.running = running;
    }
  }

  /** Flushes the store, closes it and frees the memory. When flushing fails, everything stays open. */
  async close(options: CloseOptions): Promise<void> {
    if (this.state === "closed") return;
    if (this.state === "running" || this.state === "called") throw busyError();
    // Who closes while it is closing waits for the same end.
    this.closing ??= this.#close(options).finally(() => (this.closing = undefined));
    await this.closing;
  }

  async #close(options: CloseOptions): Promise<void> {
    // The calls of one that is kept in storage go on from there: their ends are not its own.
    const kept = this.isStored;
    if (!kept) this.#cancelAll(() => new LuaClosedError());
    const before = this.state;
    this.state = "closing";
    try {
      await this.store.close({ discard: options.discard === true });
    } catch (error) {
      this.state = before;
      throw storageError(error);
    }
    // Those that it keeps, or that were begun by what others had to close.
    this.#cancelAll(() => new LuaClosedError());
    this.#tables.clear();
    this.dispose();
  }

  protected died(error: () => LuaError): void {
    this.#cancelAll(error);
  }

  protected failed(error: unknown): void {
    this.running?.fail(error);
  }

  /** Begins, or goes on, in an instance of the module. */
  protected begin(exports: Exports, options: VmParts["options"], restoreState?: RestoreState): void {
    const { modules, stdin, functions = {} } = options;
    this.mayHaveFiles = restoreState !== undefined;
    this.open(exports, this.module, makeServices(this, modules, stdin), options, restoreState);
    for (const [name, fn] of Object.entries(functions)) this.register(name, fn);
  }

  #waitingTasks(): TaskPart[] {
    return [...this.waiting].map((task) => task.capture());
  }

  #metered<T>(allowance: Allowance, run: (limits: RunLimits | undefined) => T): T {
    const limits = allowance.left();
    if (allowance.countsFuel)
      return this.fuelOf(
        () => run(limits),
        (fuel) => allowance.used(fuel),
      );
    try {
      return run(limits);
    } finally {
      allowance.used(0);
    }
  }

  /**
   * Ends all calls that wait, now: what they have to close cannot wait any more, and takes no longer than one
   * call may.
   */
  #cancelAll(reason: (traceback?: string) => LuaError): void {
    const all = new Closing(this.usual);
    for (const task of [...this.waiting]) task.cancel(reason, new Closing(task.budget.limits, all), true);
  }

  #step(as: Conversion): Step {
    const wait = this.calls.takeWait();
    const { status, list } = this.finish(as);
    if (status !== Status.waiting) return list;
    if (wait === undefined) throw new LuaError("bug", "a task waits, and nobody knows for what");
    return { task: Number(list[0]), wait, traceback: readText(list[1]) };
  }
}
