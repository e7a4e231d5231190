/**
 * One instance of the wasm module and the one Lua state in it: its states, its calls, and what it hands out.
 *
 * Invariants:
 * - Nothing runs in an instance that is running, dead or closed: every call passes `#enter`.
 * - A reply is decoded as a whole before anything of the caller's (output callbacks) runs.
 */
import { createBorder, type Border } from "#js/border.js";
import type { TableStore } from "#js/table_store.js";
import { LuaClosedError, LuaError, LuaMemoryError, storageError } from "./errors.js";
import { makeFunction, makeReference, type HandleOwner, type LuaFunction, type LuaReference } from "./handles.js";
import { instantiate, type Exports } from "./imports.js";
import { Io } from "./io.js";
import { emit, type Sink } from "./output.js";
import { replyError } from "./reply.js";
import { LuaTable } from "./table.js";
import { Operation, Status } from "./tags.js";
import type { LuaValue } from "./values.js";
import { message } from "./writer.js";

/** For `#execute`: the export `eval`, which takes bare source, and not an operation of `request`. */
const EVAL_SOURCE = 0;

type State = "ready" | "running" | "dead" | "closing" | "closed";

/** A running Lua. */
export class Vm implements HandleOwner {
  /** Where output goes; `run()` puts its own here for a while. */
  sink: Sink;
  readonly store: TableStore;
  readonly #border: Border;
  #exports!: Exports;
  #io!: Io;
  #state: State = "ready";
  /** Why it is dead. */
  #death: unknown;
  #panic = "";
  #closing: Promise<void> | undefined;
  /** Handles that were let go while Lua was running. */
  readonly #released: number[] = [];
  readonly #tables = new Map<string, LuaTable>();

  /** Makes the VM; rejects when there is no memory for it. */
  static async create(module: WebAssembly.Module, store: TableStore, sink: Sink, memoryLimit = 0): Promise<Vm> {
    const vm = new Vm(store, sink);
    vm.#exports = await instantiate(module, vm.#border);
    if (memoryLimit > 0 && vm.#exports.configure(memoryLimit) !== Status.ok) {
      throw new RangeError(`a memoryLimit of ${memoryLimit} bytes is too small`);
    }
    const status = vm.#exports.init();
    if (status === Status.memory) throw new LuaMemoryError("memory", "not enough memory to make a Lua state");
    if (status !== Status.ok) throw new LuaError("bug", `init returned ${status}`);
    vm.#io = new Io(vm.#exports, (call) => vm.#guarded(call));
    return vm;
  }

  private constructor(store: TableStore, sink: Sink) {
    this.store = store;
    this.sink = sink;
    this.#border = createBorder({
      memory: () => this.#exports.memory,
      output: (stream, bytes) => this.sink.write(stream, bytes),
      panic: (text) => {
        this.#panic = text;
        console.error(text);
      },
    });
    this.#border.attach(store);
  }

  /** Runs source; its first result. */
  evalFirst(code: string): LuaValue {
    this.#enter();
    this.#execute(EVAL_SOURCE, this.#io.putSource(code));
    const number = this.#io.singleNumber();
    if (number !== undefined) return number;
    return this.#finish()[0];
  }

  /** Runs source; all its results. */
  evalAll(code: string, name?: string): LuaValue[] {
    if (name !== undefined) return this.request(Operation.eval, [code, name]);
    this.#enter();
    this.#execute(EVAL_SOURCE, this.#io.putSource(code));
    return this.#finish();
  }

  /** Runs an operation; all its results. */
  request(operation: number, args: readonly unknown[]): LuaValue[] {
    this.#enter();
    const length = message(
      this,
      (writer) => writer.list(args),
      // What the arguments ran to be read may have closed us.
      ({ bytes, length }) => (this.#enter(), this.#io.put(bytes, length)),
    );
    this.#execute(operation, length);
    return this.#finish();
  }

  /** Calls a function that Lua gave out; its first result. */
  callHandle(handle: number, args: readonly unknown[]): LuaValue {
    return this.request(Operation.callHandle, [handle, ...args])[0];
  }

  /** Lets a value go that Lua gave out. */
  release(handle: number): void {
    if (this.#state === "ready") this.request(Operation.release, [handle]);
    else this.#released.push(handle);
  }

  /** The function behind a handle. */
  function(handle: number): LuaFunction {
    return makeFunction(this, handle);
  }

  /** The thread or userdata behind a handle. */
  reference(type: number, handle: number): LuaReference {
    return makeReference(this, type, handle);
  }

  /** The external table of this name (a binary string), made if missing; the same object for the same table. */
  external(name: string): LuaTable {
    let table = this.#tables.get(name);
    if (table === undefined || table.dropped) {
      try {
        table = new LuaTable(this.store.open(name), this);
      } catch (error) {
        throw storageError(error);
      }
      this.#tables.set(name, table);
    }
    return table;
  }

  /** Throws when it is closed. Tables and storage outlive a dead VM, so they ask only this. */
  checkOpen(): void {
    if (this.#state === "closed" || this.#state === "closing") throw new LuaClosedError();
  }

  /** Flushes the store, closes it and lets the memory go. When flushing fails, everything stays open. */
  async close(options: { discard?: boolean }): Promise<void> {
    if (this.#state === "closed") return;
    if (this.#state === "running") throw busyError();
    // Who closes while it is closing waits for the same end.
    this.#closing ??= this.#close(options).finally(() => (this.#closing = undefined));
    await this.#closing;
  }

  async #close(options: { discard?: boolean }): Promise<void> {
    const before = this.#state;
    this.#state = "closing";
    try {
      await this.store.close(options);
    } catch (error) {
      this.#state = before;
      throw storageError(error);
    }
    this.#state = "closed";
    this.#border.detach(0);
    this.#tables.clear();
    // The memory goes with these.
    this.#exports = undefined as unknown as Exports;
    this.#io = undefined as unknown as Io;
  }

  #enter(): void {
    if (this.#state !== "ready") throw this.#refusal();
    // What JavaScript wrote to tables before this call is a batch of its own.
    if (this.store.touched.length > 0) this.store.endBatch();
    if (this.#released.length > 0) this.#releaseLate();
  }

  #refusal(): Error {
    if (this.#state === "dead") {
      return new LuaError("bug", "this Lua died of an earlier failure; make a new one", { cause: this.#death });
    }
    return this.#state === "running" ? busyError() : new LuaClosedError();
  }

  #releaseLate(): void {
    for (const handle of this.#released.splice(0)) this.request(Operation.release, [handle]);
  }

  #execute(operation: number, length: number): void {
    this.#border.takeFailure();
    this.#state = "running";
    try {
      if (operation === EVAL_SOURCE) this.#exports.eval(length);
      else this.#exports.request(operation, length);
    } catch (cause) {
      throw this.#die(cause);
    }
    this.#state = "ready";
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
    this.#state = "dead";
    this.#death = cause;
    this.store.abandon();
    const reason = this.#panic || String((cause as { message?: unknown } | null)?.message ?? cause);
    return new LuaError("bug", `this Lua has died: ${reason}. Please report it; make a new one to go on`, { cause });
  }

  /** Reads the reply, passes its output on, and returns the results or throws the error. */
  #finish(): LuaValue[] {
    const { status, list, output } = this.#io.reply(this);
    if (output !== undefined) emit(output, this.sink);
    this.sink.end();
    if (status === Status.ok) return list;
    throw replyError(status, list, this.#border.takeFailure());
  }
}

function busyError(): LuaError {
  return new LuaError("usage", "this Lua is running: it cannot be called from inside");
}
