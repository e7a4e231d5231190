/**
 * A VM of the module of the capsule: operations with results of their own form, and scripts, each of which is
 * settled when it has ended.
 *
 * Invariants:
 * - What a script has begun and not ended is taken back in the same turn in which it fails: nobody's calls
 *   come in between.
 * - A script that waits goes on only when no transaction of somebody else is open.
 */
import { TableStore } from "#js/storage/table_store.js";
import { Operation } from "../codec/tags.js";
import type { Conversion, LuaValue } from "../codec/values.js";
import { instantiate, instantiateSync, type ImportFunctions } from "../instance/imports.js";
import type { Allowance, RunLimits } from "../instance/limits.js";
import type { ListReader } from "../instance/io_buffer.js";
import type { Sink } from "../instance/output.js";
import type { Views } from "../codec/plain.js";
import { runTask, type Step, type Task } from "../tasks/tasks.js";
import { Vm, type VmParts } from "../vm.js";
import { ArgumentWriter, ResultReader } from "./sql_codec.js";
import { CapsuleOperation } from "./operations.js";
import { fromFailure } from "./errors.js";

/** Function that reads the results of an operation. `all`: reads them as values of Lua, in place of that. */
export type Read<T> = (results: ResultReader, all: () => LuaValue[]) => T;

/** Operations of the VM that run a script. */
const SCRIPTS: readonly number[] = [Operation.eval, Operation.call, Operation.callHandle, Operation.evalEnv];

/** Transaction of JavaScript, while it is open. Scripts that begin meanwhile are a part of it. */
export interface OpenTransaction {
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
}

/** State of a script that may wait. */
interface Script {
  /** Number of parts of transactions that were open when it began. */
  readonly depth: number;
  /** Transaction that it is a part of. */
  readonly within: OpenTransaction | undefined;
}

/** Functions that the VM calls. */
export interface CapsuleVmHooks {
  /** Answers to the imports that the module has beside those of `perilune.wasm`. */
  imports(memory: () => WebAssembly.Memory): ImportFunctions;
  /** Hears that a part of a script has run by itself: something may be due then. */
  ran(): void;
}

/** A VM of the module of the capsule. */
export class CapsuleVm extends Vm {
  /** Transaction of JavaScript that is open; scripts of others wait for its end. */
  openTransaction: OpenTransaction | undefined;
  readonly #hooks: CapsuleVmHooks;
  readonly #scripts = new WeakMap<Task, Script>();
  readonly #writers: ArgumentWriter[] = [];
  readonly #results = new ResultReader();
  /** Number of parts of transactions that are open, while nothing has run since it was asked for. */
  #parts: number | undefined;

  private constructor(module: WebAssembly.Module, sink: Sink, options: VmParts["options"], hooks: CapsuleVmHooks) {
    super(module, new TableStore(), sink, options);
    this.#hooks = hooks;
  }

  /** Makes the VM; rejects when there is no memory for it. */
  static async make(parts: Omit<VmParts, "store">, hooks: CapsuleVmHooks): Promise<CapsuleVm> {
    const { vm, imports } = CapsuleVm.#prepare(parts, hooks);
    return vm.#begun(await instantiate(parts.module, vm.hostImports, imports), parts.options);
  }

  /** Makes the VM at once. */
  static makeSync(parts: Omit<VmParts, "store">, hooks: CapsuleVmHooks): CapsuleVm {
    const { vm, imports } = CapsuleVm.#prepare(parts, hooks);
    return vm.#begun(instantiateSync(parts.module, vm.hostImports, imports), parts.options);
  }

  #memory!: WebAssembly.Memory;

  static #prepare({ module, sink, options }: Omit<VmParts, "store">, hooks: CapsuleVmHooks) {
    const vm = new CapsuleVm(module, sink, options, hooks);
    return { vm, imports: hooks.imports(() => vm.#memory) };
  }

  #begun(exports: Awaited<ReturnType<typeof instantiate>>, options: VmParts["options"]): this {
    this.#memory = exports.memory;
    this.begin(exports, options);
    return this;
  }

  /** True if nothing runs: messages can be taken, and listeners called. */
  get isIdle(): boolean {
    return this.state === "ready";
  }

  /** True if it can be called: nothing runs, or what runs has called JavaScript. */
  get isCallable(): boolean {
    return this.enterable;
  }

  /**
   * Runs an operation of the capsule: `write` writes its arguments, `read` reads its results. Throws a
   * `CapsuleError` that the module describes (about `table`), or the `LuaError` of the VM.
   */
  operate<T>(
    operation: CapsuleOperation,
    write: ((args: ArgumentWriter) => void) | undefined,
    read: Read<T>,
    table?: string,
  ): T {
    this.#parts = undefined;
    // One of its own for each call: what is written may have a getter that calls the capsule.
    const writer = this.#writers.pop() ?? new ArgumentWriter();
    try {
      write?.(writer.begin());
      if (write === undefined) writer.begin();
      const { bytes, length } = writer.end();
      return this.#replied(read, table, (reader) => this.exchange(operation, bytes, length, reader));
    } finally {
      this.#writers.push(writer);
    }
  }

  /** Runs an operation of the capsule whose arguments are values of Lua. */
  operateOn<T>(operation: CapsuleOperation, args: readonly unknown[], read: Read<T>): T {
    this.#parts = undefined;
    return this.#replied(read, undefined, (reader) => {
      this.execute(operation, this.put(args));
      this.finish(undefined, reader);
    });
  }

  #replied<T>(read: Read<T>, table: string | undefined, run: (reader: ListReader) => void): T {
    let result: T;
    const list = (views: Views, start: number, end: number) => {
      const all = () => this.decoder.list(views, start, end, this.conversion);
      const results = this.#results.begin(views, start, end);
      if (!results.boolean()) throw fromFailure(all()[1], table);
      result = read(results, all);
      return [];
    };
    run({ hosted: false, list });
    // Set by the reader, or an error was thrown.
    return result!;
  }

  /** Starts a script that may wait; resolves to all its results. The signal ends it where it waits. */
  startScript(operation: number, args: readonly unknown[], signal: AbortSignal): Promise<LuaValue[]> {
    return runTask(this, operation, args, { signal });
  }

  override request(operation: number, args: readonly unknown[], limits?: RunLimits, as?: Conversion): LuaValue[] {
    const run = () => super.request(operation, args, limits, as);
    return SCRIPTS.includes(operation) ? this.#settled(run) : run();
  }

  override requestFirst(operation: number, args: readonly unknown[], as?: Conversion): LuaValue {
    return this.#settled(() => super.requestFirst(operation, args, as));
  }

  override start(operation: number, args: readonly unknown[], allowance: Allowance, as: Conversion): Step {
    return this.#stepped(() => super.start(operation, args, allowance, as));
  }

  override resume(
    task: number,
    name: string,
    fulfilled: boolean,
    value: unknown,
    allowance: Allowance,
    as: Conversion,
  ): Step {
    return this.#stepped(() => super.resume(task, name, fulfilled, value, allowance, as));
  }

  override cancel(task: number, allowance: Allowance, now: boolean): Step | undefined {
    return this.#stepped(() => super.cancel(task, allowance, now));
  }

  override into<T>(sink: Sink | undefined, run: () => T, task?: Task): T {
    if (task !== undefined && !this.#scripts.has(task))
      this.#scripts.set(task, { depth: this.openParts(), within: this.openTransaction });
    return super.into(sink, run, task);
  }

  override heldBy(call: Task): Promise<unknown> | undefined {
    const closing = super.heldBy(call);
    if (closing !== undefined || this.openTransaction === undefined) return closing;
    return this.#scripts.get(call)?.within === this.openTransaction ? undefined : this.openTransaction.ended;
  }

  /** Runs a part of a script that may wait. */
  #stepped<T>(run: () => T): T {
    const task = this.running;
    const script = task && this.#scripts.get(task);
    try {
      return this.#settled(run, script?.depth);
    } finally {
      if (this.isIdle) this.#hooks.ran();
    }
  }

  /** Runs a script, or a part of one, and settles it if nothing runs around it. */
  #settled<T>(run: () => T, depth?: number): T {
    if (!this.isIdle) return run();
    depth ??= this.#parts ?? this.openParts();
    this.#parts = undefined;
    let result: T;
    try {
      result = run();
    } catch (error) {
      this.#settle(depth);
      throw error;
    }
    this.#settle();
    return result;
  }

  /** Returns the number of parts of transactions that are open. */
  openParts(): number {
    return this.isCallable ? this.#settle() : 0;
  }

  /**
   * Delivers what a script has set off, and returns the number of parts that are open; after a script that
   * has failed only `depth` of them stay open.
   */
  #settle(depth?: number): number {
    // It has died, or was closed by what it called.
    if (!this.isCallable) return 0;
    const parts = this.operate(
      CapsuleOperation.settle,
      (args) => (depth === undefined ? args.nil() : args.integer(depth)),
      (results) => results.integer(),
    );
    if (this.isIdle) this.#parts = parts;
    return parts;
  }
}
