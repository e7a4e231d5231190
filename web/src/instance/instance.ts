/**
 * One instance of the wasm module and the one Lua state in it: whether it may be called, and what goes in and
 * comes out.
 *
 * Invariants:
 * - Every call passes `enter`: nothing runs in an instance that is running, dead or closed. A host function
 *   that Lua has called may call again ("called"), and so on inwards.
 * - A reply is decoded as a whole before anything of the caller's (output callbacks) runs.
 * - Limits of one call are told to the module right before it: nothing else is called in between.
 * - What the host imports and the errors note belongs to one call; those of an outer one are there again when
 *   an inner one ends.
 *
 * Not here: what it hands out, and tasks (vm.ts).
 */
import { createHostImports, type HostImports, type Failure } from "#js/imports.js";
import type { TableStore } from "#js/storage/table_store.js";
import { LuaClosedError, LuaError, LuaMemoryError } from "../errors.js";
import { HostCalls, type Services } from "../host/host_calls.js";
import { HostTable, type HostEntries } from "../host/host_table.js";
import { imageError } from "../snapshot/errors.js";
import type { DecodedImage } from "../snapshot/decode.js";
import type { Meta, TaskPart } from "../snapshot/parts.js";
import { MemoryPages, baselineOf, type Baseline } from "../snapshot/pages.js";
import { handlesIn } from "../snapshot/tasks.js";
import type { Exports } from "./imports.js";
import { Io, type ListReader, type Reply } from "./io_buffer.js";
import {
  MEMORY_DEFAULT_BYTES,
  memoryBytesOf,
  SeededRandom,
  TIMEOUT_MS_DEFAULT,
  limitsOf,
  type Limits,
  type RunLimits,
} from "./limits.js";
import { Memory } from "./memory.js";
import { conversionOf, type EvalOptions, type JitKnobs, type LuaOptions } from "../options.js";
import { emit, type Sink } from "./output.js";
import { Decoder } from "../codec/decoder.js";
import { RaisedErrors } from "./reply.js";
import { Operation, Status } from "../codec/tags.js";
import type { Conversion, LuaFunction, LuaReference, LuaTable, LuaValue, ValueContext } from "../codec/values.js";
import { withEncoder } from "../codec/encoder.js";

/** Pseudo-operation of `execute`: the export `eval`, which takes bare source. */
const EVAL_SOURCE = 0;

/** Index of the number of handles in the results of `Operation.stats`. */
const HANDLES_STAT = 4;

/** Operations that run nothing of the program's, and do not count as calls into Lua. */
const UNCOUNTED: readonly number[] = [Operation.release, Operation.stats, Operation.limit, Operation.disown];

/** Name of the VM as a participant of the commits of its store (snapshot/resume.ts). */
export const VM_PARTICIPANT = "vm";

type State = "ready" | "running" | "called" | "dead" | "closing" | "closed";

/** Options of `Lua.create` that are for the instance. */
export type InstanceOptions = Pick<
  LuaOptions,
  "memoryLimit" | "timeout" | "fuel" | "seed" | "now" | "interrupted" | "sandbox" | "strings" | "integers" | "jit"
>;

/** State from which an instance goes on for another one. */
export interface RestoreState {
  readonly image: Pick<DecodedImage, "meta" | "memoryLimit" | "memory">;
  /** Entries that the host table of the other one had then; undefined when that stayed behind. */
  readonly source?: HostEntries | undefined;
}

/** One instance, and the calls into it. */
export abstract class Instance implements ValueContext {
  /** Destination of the output of calls that have none of their own. */
  protected readonly output: Sink;
  /** Destination of the output of what runs now. */
  protected sink: Sink;
  readonly store: TableStore;
  readonly host: HostTable = new HostTable();
  protected state: State = "ready";
  protected calls!: HostCalls;
  protected readonly errors: RaisedErrors = new RaisedErrors();
  readonly conversion: Conversion;
  /** Answers to the imports of the module, for who makes the instance. */
  protected readonly hostImports: HostImports;
  #exports!: Exports;
  #baseline!: Baseline;
  #memoryLimit: number;
  /** Seeded generator; undefined for the platform's randomness. */
  #random: SeededRandom | undefined;
  #io!: Io;
  protected decoder: Decoder = new Decoder(this);
  /** Failure of a host import during the last call. */
  #failure: Failure | null = null;
  /** Limits of calls that have none of their own. */
  readonly usual: Limits;
  /** Says whether the program wants what runs to end (option `interrupted`). */
  readonly isInterrupted: () => boolean;
  /** True when the call that runs is to end. */
  #interrupted = false;
  /** Error that a callback of Lua's runtime has thrown, for the outermost caller. */
  #thrown: { error: unknown } | undefined;
  /** Cause of its death. */
  #death: unknown;
  #panic = "";
  /** Compiled functions that were taken out of memory for an image: pairs of words (src/js/jit.rs). */
  #parked: Uint32Array | undefined;
  /** Handles that were released while Lua was running. */
  readonly #released: number[] = [];

  protected constructor(store: TableStore, sink: Sink, options: InstanceOptions) {
    this.store = store;
    this.output = this.sink = sink;
    const { timeout = TIMEOUT_MS_DEFAULT, fuel = Infinity, seed, now, interrupted } = options;
    this.usual = { timeout, fuel };
    this.conversion = conversionOf(options);
    this.isInterrupted = interrupted ?? (() => false);
    this.#memoryLimit = memoryBytesOf(options.memoryLimit) ?? MEMORY_DEFAULT_BYTES;
    if (seed !== undefined && seed !== "random") this.#random = new SeededRandom(seed);
    this.hostImports = createHostImports({
      random: () => this.#random?.next(),
      ...(now && { now: () => this.#asked(() => finite(now()), NaN) }),
      interrupted: () => this.#interrupted || (interrupted !== undefined && this.#asked(interrupted, true)),
      memory: () => this.#exports.memory,
      exports: () => this.#exports as unknown as WebAssembly.Exports,
      output: (stream, bytes) => this.#asked(() => this.sink.write(stream, bytes), undefined),
      panic: (text) => {
        this.#panic = text;
        console.error(text);
      },
      host: {
        call: (id, args, length, mayWait, out, capacity) => {
          this.state = "called";
          const answer = this.calls.call(id, args, length, mayWait, out, capacity);
          // An inner call has killed the instance: what is left of the outer one must not run on.
          if ((this.state as State) === "dead") throw this.#death;
          this.state = "running";
          return answer;
        },
        take: (out, capacity) => this.calls.take(out, capacity),
        release: (id, uses) => this.host.release(id, uses),
      },
    });
    this.hostImports.attach(store);
  }

  abstract function(handle: number): LuaFunction;
  abstract reference(type: number, handle: number): LuaReference;
  abstract external(name: string): LuaTable;
  /** Takes note, once, that the instance has died: it will never run again. */
  protected abstract died(error: () => LuaError): void;
  /** Ends the asynchronous call of which a part runs, if one does, with what a callback has thrown. */
  protected abstract failed(error: unknown): void;

  /**
   * Makes the Lua state in an instance of the module, or takes one over; throws when there is no memory for
   * it.
   */
  protected open(
    exports: Exports,
    module: WebAssembly.Module,
    services: Services,
    options: InstanceOptions,
    restoreState?: RestoreState,
  ): void {
    const memory = new Memory(exports.memory);
    this.#exports = exports;
    this.#baseline = baselineOf(module, exports);
    this.calls = new HostCalls(this, memory, this.decoder, this.errors, services);
    if (restoreState === undefined) this.#begin(options);
    else this.#restore(options, restoreState);
    this.#io = new Io(exports, memory, (call) => this.#guarded(call), this.#memoryLimit);
    const { threshold, length, exitSeed } = knobsOf(options.jit);
    exports.jit_tune?.(threshold, length, exitSeed);
    if (this.#thrown !== undefined) throw this.#takeThrown();
    this.#limit(true, this.usual);
    if (restoreState !== undefined) {
      const kept = handlesIn(restoreState.image.meta.tasks);
      this.request(Operation.disown, kept);
      // Each is of one function, which is there.
      const there = kept.length > 0 ? this.request(Operation.stats, [])[HANDLES_STAT] : 0;
      if (Number(there) !== kept.length) throw imageError("corrupt", "the image is damaged: a function is missing");
      if (options.seed !== undefined) this.request(Operation.reseed, []);
    } else if (typeof options.sandbox === "object") {
      this.request(Operation.libraries, options.sandbox.libs);
    }
  }

  #begin({ memoryLimit }: InstanceOptions): void {
    if (memoryLimit !== undefined && this.#exports.configure(this.#memoryLimit) !== Status.ok) {
      throw new RangeError(`a memoryLimit of ${this.#memoryLimit} bytes is too small`);
    }
    const status = this.#exports.init();
    if (status === Status.memory) {
      const limit = `memoryLimit is ${this.#memoryLimit} bytes`;
      throw new LuaMemoryError("memory", `not enough memory to make a Lua state (${limit})`);
    }
    if (status !== Status.ok) throw new LuaError("bug", `init returned ${status}`);
  }

  #restore({ memoryLimit, seed }: InstanceOptions, { image, source }: RestoreState): void {
    const { meta } = image;
    const limit = memoryBytesOf(memoryLimit) ?? image.memoryLimit;
    const pages = new MemoryPages(this.#exports, this.#baseline);
    const memory = image.memory(pages);
    if (memory.memoryBytes > limit) {
      throw new RangeError(`a memoryLimit of ${limit} bytes is too small: the image has ${memory.memoryBytes}`);
    }
    try {
      pages.apply(memory);
    } catch (cause) {
      const size = `it has ${memory.memoryBytes} bytes, memoryLimit is ${limit}`;
      throw new LuaMemoryError("memory", `not enough memory to restore this image (${size})`, { cause });
    }
    const status = this.#guarded(() => this.#exports.restore(limit));
    if (status !== Status.ok) throw imageError("corrupt", `the image is damaged: restore returned ${status}`);
    this.#memoryLimit = limit;
    if (seed === undefined && meta.random !== undefined) this.#random = SeededRandom.from(meta.random);
    this.hostImports.restore(meta);
    this.host.restore(meta.host, source);
  }

  /** Captures everything that another instance needs to go on from here. Only when nothing runs. */
  protected capture(tasks: readonly TaskPart[]): { pages: MemoryPages; build: string | undefined; meta: Meta } {
    // One that is kept in storage is captured for the last time when nothing can run in it any more.
    if (this.state !== "closing" || !this.isStored) {
      if (this.state === "called" || this.state === "running") throw captureError();
      this.enter();
    }
    // The last reply has been read; its memory would only make the image larger.
    this.#guarded(() => this.#exports.io_reserve(0));
    this.#park();
    const meta: Meta = { host: this.host.capture(), tasks, random: this.#random?.state, ...this.hostImports.capture() };
    return { pages: new MemoryPages(this.#exports, this.#baseline), build: this.#baseline.build, meta };
  }

  /** Takes what is compiled out of memory, until something runs again: it is no part of an image. */
  #park(): void {
    const { memory, io_ptr, jit_park } = this.#exports;
    const words = 2 * this.#guarded(() => jit_park?.() ?? 0);
    this.#parked = words === 0 ? undefined : new Uint32Array(memory.buffer, io_ptr() >>> 0, words).slice();
  }

  #unpark(words: Uint32Array): void {
    this.#parked = undefined;
    const { memory, io_ptr, jit_unpark } = this.#exports;
    new Uint32Array(memory.buffer, io_ptr() >>> 0, words.length).set(words);
    this.#guarded(() => jit_unpark?.(words.length / 2));
  }

  /** Figures of what is compiled. */
  get compiled(): { modules: number; functions: number; bytes: number; exits: number } {
    const { modules, functions, bytes } = this.hostImports.compiler.compiled;
    return { modules, functions, bytes, exits: (this.#exports.jit_exits?.() ?? 0) >>> 0 };
  }

  /** True while the VM is kept in the storage of its tables. */
  protected get isStored(): boolean {
    return this.store.participants.member(VM_PARTICIPANT).participant !== undefined;
  }

  /** Fills freed memory with zeros: what it had makes images larger, and may be secret. */
  protected clearFree(): void {
    // It walks the allocator's lists, which are as damaged as the image that the memory came from.
    this.#guarded(() => this.#exports.clear_free());
  }

  /** Limit of its memory, in bytes. */
  protected get memoryLimit(): number {
    return this.#memoryLimit;
  }

  /** Runs source, and returns its first result. */
  evalFirst(code: string): LuaValue {
    this.enter();
    this.execute(EVAL_SOURCE, this.#io.putSource(code));
    return this.#first(this.conversion);
  }

  /** Runs source, and returns all its results. */
  evalAll(code: string, options: EvalOptions = {}): LuaValue[] {
    const { name, env } = options;
    const own = limitsOf(options, this.usual);
    const as = conversionOf(options, this.conversion);
    if (env !== undefined) return this.request(Operation.evalEnv, [code, name ?? "eval", env], own, as);
    if (name !== undefined || own !== undefined) return this.request(Operation.eval, [code, name ?? "eval"], own, as);
    this.enter();
    this.execute(EVAL_SOURCE, this.#io.putSource(code));
    return this.finish(as).list;
  }

  /** Runs an operation, and returns all its results; those of programs with a conversion. */
  request(operation: number, args: readonly unknown[], limits?: RunLimits, as?: Conversion): LuaValue[] {
    const { evals } = this.store;
    this.send(operation, args, limits);
    if (UNCOUNTED.includes(operation)) this.store.evals = evals;
    return this.finish(as).list;
  }

  /** Runs an operation, and returns its first result, which is the program's. */
  requestFirst(operation: number, args: readonly unknown[], as: Conversion = this.conversion): LuaValue {
    this.send(operation, args);
    return this.#first(as);
  }

  /**
   * Runs an operation whose arguments are a list in the first `length` of the bytes, and returns what
   * `reader` makes of its results, which it reads where they lie: for operations with a form of their own.
   */
  protected exchange(operation: number, bytes: Uint8Array, length: number, reader: ListReader): LuaValue[] {
    this.enter();
    this.execute(operation, this.#io.put(bytes, length));
    return this.finish(undefined, reader).list;
  }

  /** Releases the handle of a value that Lua gave out. */
  release(handle: number): void {
    if (this.enterable) this.request(Operation.release, [handle]);
    else this.#released.push(handle);
  }

  /** Throws when it is closed. Tables and storage outlive a dead VM, so they ask only this. */
  checkOpen(): void {
    if (this.state === "closed" || this.state === "closing") throw new LuaClosedError();
  }

  /** True if it can be called now. */
  protected get enterable(): boolean {
    return this.state === "ready" || this.state === "called";
  }

  /** Ends the call that runs, if one does. */
  protected interruptCall(): void {
    this.#interrupted = this.state === "running" || this.state === "called";
  }

  /** Runs `run`, and gives `used` the ticks that it took, also when it throws. */
  fuelOf<T>(run: () => T, used: (fuel: number) => void): T {
    const total = () => (this.enterable ? Number(this.request(Operation.stats, [])[7]) : 0);
    const before = this.state === "called" ? total() : 0;
    try {
      return run();
    } finally {
      used(total() - before);
    }
  }

  /** Prepares a call. With `limits` it has its own, and nothing else may be called before it. */
  protected enter(limits?: RunLimits): void {
    if (!this.enterable) throw this.#refusal();
    if (this.#parked !== undefined) this.#unpark(this.#parked);
    // What JavaScript wrote to tables before this call is a batch of its own; inside of one it is part of it.
    if (this.state === "ready" && this.store.inBatch) this.store.endBatch();
    if (this.#released.length > 0) this.#releaseLate();
    if (limits !== undefined) this.#limit(false, limits, limits.whole);
  }

  /** Begins an operation; `finish` ends it. */
  protected send(operation: number, args: readonly unknown[], limits?: RunLimits): void {
    this.enter();
    // Its limits are sent when nothing of the caller's can run any more.
    this.execute(operation, (limits === undefined && this.#io.putPlain(args)) || this.put(args, limits));
  }

  /** Puts a list where the next call, which may have limits of its own, looks for it. Returns its length. */
  protected put(values: readonly unknown[], limits?: RunLimits): number {
    return withEncoder(
      this,
      (encoder) => encoder.list(values),
      // What ran to be read may have closed us.
      ({ bytes, length }) => {
        this.enter(limits);
        try {
          return this.#io.put(bytes, length);
        } catch (error) {
          // The limits are those of the next call, whichever that is: this one.
          if (limits !== undefined && this.enterable) this.request(Operation.stats, []);
          throw error;
        }
      },
    );
  }

  protected execute(operation: number, length: number): void {
    const before = this.state;
    const outer = this.hostImports.takeFailure();
    if (before === "ready") this.errors.begin();
    this.state = "running";
    let replied: number;
    try {
      replied = operation === EVAL_SOURCE ? this.#exports.eval(length) : this.#exports.request(operation, length);
    } catch (cause) {
      throw this.#die(cause);
    }
    this.state = before;
    if (before === "ready") {
      this.#interrupted = false;
      if (!UNCOUNTED.includes(operation)) this.store.requestCommit();
    }
    this.#failure = this.hostImports.takeFailure();
    if (outer !== null && before === "called") this.hostImports.putFailure(outer);
    if (replied === 0) throw busyError();
  }

  /** Reads the reply, passes its output on, and returns it, or throws its error. */
  protected finish(as?: Conversion, reader: ListReader = this.decoder): Reply {
    const reply = this.#io.reply(this.decoder, as, reader);
    const { status, output, refusal } = reply;
    const failed = status !== Status.ok && status !== Status.waiting;
    const error = failed ? this.errors.make(reply, this.#failure) : refusal;
    if (output !== undefined) this.#asked(() => emit(output, this.sink), undefined);
    if (this.state === "ready") {
      this.output.end();
      if (this.#thrown !== undefined) {
        const thrown = this.#takeThrown();
        this.failed(thrown);
        // A task that waits ends there.
        if (status !== Status.waiting) throw thrown;
      }
    }
    if (error !== undefined) throw error;
    return reply;
  }

  /** Closes it, and keeps nothing of it. */
  protected dispose(): void {
    this.state = "closed";
    this.hostImports.detach(0);
    this.hostImports.compiler.dispose();
    this.host.clear();
    // The memory goes with these.
    this.#exports = this.#io = this.decoder = this.calls = undefined as never;
  }

  #first(as: Conversion): LuaValue {
    const { integers = "auto" } = as;
    const number = this.#thrown === undefined && integers === "auto" ? this.#io.singleNumber() : undefined;
    if (number === undefined) return this.finish(as).list[0];
    if (this.state === "ready") this.output.end();
    return number;
  }

  #limit(usual: boolean, { timeout, fuel }: Limits, whole?: Limits): void {
    const orNil = (limit: number) => (limit === Infinity ? undefined : limit);
    const named = whole === undefined ? [] : [orNil(whole.timeout), orNil(whole.fuel)];
    this.request(Operation.limit, [usual, orNil(timeout), orNil(fuel), ...named]);
  }

  /** Calls a callback of the program's; `otherwise` when it throws, which ends the call that runs. */
  #asked<T>(callback: () => T, otherwise: T): T {
    try {
      return callback();
    } catch (error) {
      this.#thrown ??= { error };
      this.#interrupted = true;
      this.failed(error);
      return otherwise;
    }
  }

  #takeThrown(): unknown {
    const thrown = this.#thrown;
    this.#thrown = undefined;
    // The call that it was to end has ended.
    this.#interrupted = false;
    return thrown?.error;
  }

  #refusal(): Error {
    if (this.state === "dead") {
      return new LuaError("bug", "this Lua died of an earlier failure; make a new one", { cause: this.#death });
    }
    return this.state === "running" ? busyError() : new LuaClosedError();
  }

  #releaseLate(): void {
    for (const handle of this.#released.splice(0)) this.request(Operation.release, [handle]);
  }

  #guarded<T>(call: () => T): T {
    try {
      return call();
    } catch (cause) {
      throw this.#die(cause);
    }
  }

  /** Marks it as dead: an exception out of the module has left it in the middle of something. */
  #die(cause: unknown): LuaError {
    const reason = this.#panic || String((cause as { message?: unknown } | null)?.message ?? cause);
    const error = () =>
      new LuaError("bug", `this Lua has died: ${reason}. Please report it; make a new one to go on`, { cause });
    // An outer call dies of the same cause.
    if (this.state !== "dead") {
      this.state = "dead";
      this.#death = cause;
      this.store.abandon();
      this.hostImports.compiler.dispose();
      this.died(error);
    }
    return error();
  }
}

/** Samples until a function is recorded, and instructions of a recording. */
const KNOBS: JitKnobs = { threshold: 2, length: 600, exitSeed: 0 };

function knobsOf(jit: boolean | JitKnobs = true): JitKnobs {
  return typeof jit === "object" ? jit : jit ? KNOBS : { ...KNOBS, threshold: 0 };
}

function finite(ms: unknown): number {
  if (Number.isFinite(ms)) return ms as number;
  throw new TypeError(`option "now" must return a finite number of milliseconds, not ${String(ms)}`);
}

function captureError(): LuaError {
  return new LuaError("usage", "no snapshot can be taken of a running Lua: wait until the call that runs has ended");
}

/** Makes the error of a call at a wrong moment. */
export function busyError(): LuaError {
  return new LuaError("usage", "this Lua is running: it cannot be called from inside");
}
