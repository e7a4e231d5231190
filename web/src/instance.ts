/**
 * One instance of the wasm module and the one Lua state in it: whether it may be called, and what goes in and comes out.
 *
 * Invariants:
 * - Every call passes `enter`: nothing runs in an instance that is running, dead or closed. A host function that Lua has
 *   called may call again ("called"), and so on inwards.
 * - A reply is decoded as a whole before anything of the caller's (output callbacks) runs.
 * - What the border and the errors note belongs to one call; those of an outer one are there again when an inner one ends.
 * Not here: what it hands out, and tasks (vm.ts).
 */
import { createBorder, type Border, type Failure } from "#js/border.js";
import type { TableStore } from "#js/table_store.js";
import { LuaClosedError, LuaError, LuaMemoryError } from "./errors.js";
import type { LuaFunction, LuaReference } from "./handles.js";
import { HostCalls, type Services } from "./host_calls.js";
import { HostTable } from "./host_table.js";
import { instantiate, type Exports } from "./imports.js";
import { Io, type Reply } from "./io.js";
import { Memory } from "./memory.js";
import { emit, type Sink } from "./output.js";
import { Reader } from "./reader.js";
import { RaisedErrors } from "./reply.js";
import type { LuaTable } from "./table.js";
import { Operation, Status } from "./tags.js";
import type { LuaValue, Realm } from "./values.js";
import { message } from "./writer.js";

/** For `execute`: the export `eval`, which takes bare source, and not an operation of `request`. */
const EVAL_SOURCE = 0;

type State = "ready" | "running" | "called" | "dead" | "closing" | "closed";

/** Calls of one instance. */
export abstract class Instance implements Realm {
  /** Where output goes; `run()` puts its own here for a while. */
  sink: Sink;
  readonly store: TableStore;
  readonly host: HostTable = new HostTable();
  protected state: State = "ready";
  protected calls!: HostCalls;
  protected readonly errors: RaisedErrors = new RaisedErrors();
  readonly #border: Border;
  #exports!: Exports;
  #io!: Io;
  #reader: Reader = new Reader(this);
  /** What went wrong at the border during the last call. */
  #failure: Failure | null = null;
  /** Why it is dead. */
  #death: unknown;
  #panic = "";
  /** Handles that were let go while Lua was running. */
  readonly #released: number[] = [];

  protected constructor(store: TableStore, sink: Sink) {
    this.store = store;
    this.sink = sink;
    this.#border = createBorder({
      memory: () => this.#exports.memory,
      output: (stream, bytes) => this.sink.write(stream, bytes),
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
    this.#border.attach(store);
  }

  abstract function(handle: number): LuaFunction;
  abstract reference(type: number, handle: number): LuaReference;
  abstract external(name: string): LuaTable;
  /** It will never run again. */
  protected abstract died(error: LuaError): void;

  /** Makes the Lua state; rejects when there is no memory for it. */
  protected async open(module: WebAssembly.Module, services: Services, memoryLimit = 0): Promise<void> {
    const exports = await instantiate(module, this.#border);
    const memory = new Memory(exports.memory);
    this.#exports = exports;
    this.calls = new HostCalls(this, memory, this.#reader, this.errors, services);
    if (memoryLimit > 0 && exports.configure(memoryLimit) !== Status.ok) {
      throw new RangeError(`a memoryLimit of ${memoryLimit} bytes is too small`);
    }
    const status = exports.init();
    if (status === Status.memory) throw new LuaMemoryError("memory", "not enough memory to make a Lua state");
    if (status !== Status.ok) throw new LuaError("bug", `init returned ${status}`);
    this.#io = new Io(exports, memory, (call) => this.#guarded(call));
  }

  /** Runs source; its first result. */
  evalFirst(code: string): LuaValue {
    this.enter();
    this.execute(EVAL_SOURCE, this.#io.putSource(code));
    return this.#first();
  }

  /** Runs source; all its results. */
  evalAll(code: string, name?: string): LuaValue[] {
    if (name !== undefined) return this.request(Operation.eval, [code, name]);
    this.enter();
    this.execute(EVAL_SOURCE, this.#io.putSource(code));
    return this.finish().list;
  }

  /** Runs an operation; all its results. */
  request(operation: number, args: readonly unknown[]): LuaValue[] {
    this.send(operation, args);
    return this.finish().list;
  }

  /** Runs an operation; its first result. */
  requestFirst(operation: number, args: readonly unknown[]): LuaValue {
    this.send(operation, args);
    return this.#first();
  }

  /** Lets a value go that Lua gave out. */
  release(handle: number): void {
    if (this.enterable) this.request(Operation.release, [handle]);
    else this.#released.push(handle);
  }

  /** Throws when it is closed. Tables and storage outlive a dead VM, so they ask only this. */
  checkOpen(): void {
    if (this.state === "closed" || this.state === "closing") throw new LuaClosedError();
  }

  /** Whether it can be called now. */
  protected get enterable(): boolean {
    return this.state === "ready" || this.state === "called";
  }

  /** Before each call. */
  protected enter(): void {
    if (!this.enterable) throw this.#refusal();
    // What JavaScript wrote to tables before this call is a batch of its own; inside of one it is part of it.
    if (this.state === "ready" && this.store.touched.length > 0) this.store.endBatch();
    if (this.#released.length > 0) this.#releaseLate();
  }

  /** Begins an operation; `finish` ends it. */
  protected send(operation: number, args: readonly unknown[]): void {
    this.enter();
    this.execute(operation, this.#io.putPlain(args) || this.put(args));
  }

  /** Puts a list where the next call looks for it; its length. */
  protected put(values: readonly unknown[]): number {
    return message(
      this,
      (writer) => writer.list(values),
      // What ran to be read may have closed us.
      ({ bytes, length }) => (this.enter(), this.#io.put(bytes, length)),
    );
  }

  protected execute(operation: number, length: number): void {
    const before = this.state;
    const outer = this.#border.takeFailure();
    if (before === "ready") this.errors.begin();
    this.state = "running";
    let replied: number;
    try {
      replied = operation === EVAL_SOURCE ? this.#exports.eval(length) : this.#exports.request(operation, length);
    } catch (cause) {
      throw this.#die(cause);
    }
    this.state = before;
    this.#failure = this.#border.takeFailure();
    if (outer !== null && before === "called") this.#border.putFailure(outer);
    if (replied === 0) throw busyError();
  }

  /** Reads the reply, passes its output on, and returns it, or throws its error. */
  protected finish(): Reply {
    const reply = this.#io.reply(this.#reader);
    const { status, output } = reply;
    const failed = status !== Status.ok && status !== Status.waiting;
    const error = failed ? this.errors.make(reply, this.#failure) : undefined;
    if (output !== undefined) emit(output, this.sink);
    if (this.state === "ready") this.sink.end();
    if (error !== undefined) throw error;
    return reply;
  }

  /** The end: nothing of it is held any more. */
  protected letGo(): void {
    this.state = "closed";
    this.#border.detach(0);
    this.host.clear();
    // The memory goes with these.
    this.#exports = this.#io = this.#reader = this.calls = undefined as never;
  }

  #first(): LuaValue {
    const number = this.#io.singleNumber();
    if (number === undefined) return this.finish().list[0];
    if (this.state === "ready") this.sink.end();
    return number;
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

  /** Whatever comes out of the module as an exception has left it in the middle of something. */
  #die(cause: unknown): LuaError {
    const reason = this.#panic || String((cause as { message?: unknown } | null)?.message ?? cause);
    const error = new LuaError("bug", `this Lua has died: ${reason}. Please report it; make a new one to go on`, {
      cause,
    });
    // An outer call dies of the same cause.
    if (this.state !== "dead") {
      this.state = "dead";
      this.#death = cause;
      this.store.abandon();
      this.died(error);
    }
    return error;
  }
}

/** It is called at a wrong moment. */
export function busyError(): LuaError {
  return new LuaError("usage", "this Lua is running: it cannot be called from inside");
}
