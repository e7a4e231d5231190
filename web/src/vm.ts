/**
 * One instance of the wasm module and the one Lua state in it: bytes in, bytes out (docs/codec.md sections 2 and 3).
 *
 * Invariants:
 * - Nothing runs in an instance that is running, dead or closed: every call passes `#enter`.
 * - No view of memory is kept over a call: `#fresh` makes it anew when memory has grown.
 * - A reply is decoded as a whole before anything of the caller's (output callbacks) runs.
 */
import { createBorder, type Border } from "#js/border.js";
import type { TableStore } from "#js/table_store.js";
import { LuaClosedError, LuaError, LuaMemoryError, storageError } from "./errors.js";
import { makeFunction, makeReference, type HandleOwner, type LuaFunction, type LuaReference } from "./handles.js";
import { instantiate, type Exports } from "./imports.js";
import type { Sink } from "./output.js";
import { Reader, readInteger } from "./reader.js";
import { replyError, type Reply } from "./reply.js";
import { LuaTable } from "./table.js";
import { IO_BUFFER_BYTES, Operation, Status, Tag } from "./tags.js";
import { encodeText, utf8 } from "./utf8.js";
import type { LuaValue } from "./values.js";
import { message } from "./writer.js";

/** `run`'s operation for the export `eval`, which takes bare source. */
const EVAL_SOURCE = 0;

/** A source this long fits into the IO buffer whatever its characters are. */
const DIRECT_CHARS_MAX = Math.floor(IO_BUFFER_BYTES / 3);

type State = "ready" | "running" | "dead" | "closing" | "closed";

/** A running Lua. */
export class Vm implements HandleOwner {
  /** Where output goes; `run()` puts its own here for a while. */
  sink: Sink;
  readonly store: TableStore;
  readonly #border: Border;
  #exports!: Exports;
  #io = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(this.#bytes.buffer);
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
    vm.#io = vm.#exports.io_ptr() >>> 0;
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
    this.#execute(EVAL_SOURCE, this.#putSource(code));
    // The usual answer, a single number, is read without making anything.
    const bytes = this.#fresh();
    const view = this.#view;
    const at = this.#io;
    if (bytes[at] === Status.ok && view.getUint32(at + 8, true) === 13 && view.getUint32(at + 12, true) === 0) {
      if (bytes[at + 20] === Tag.integer) return readInteger(view, at + 21);
      if (bytes[at + 20] === Tag.float) return view.getFloat64(at + 21, true);
    }
    return this.#finish()[0];
  }

  /** Runs source; all its results. */
  evalAll(code: string, name?: string): LuaValue[] {
    if (name !== undefined) return this.request(Operation.eval, [code, name]);
    this.#enter();
    this.#execute(EVAL_SOURCE, this.#putSource(code));
    return this.#finish();
  }

  /** Runs an operation; all its results. */
  request(operation: number, args: readonly unknown[]): LuaValue[] {
    this.#enter();
    const length = message(
      this,
      (writer) => writer.list(args),
      // What the arguments ran to be read may have closed us.
      (writer) => (this.#enter(), this.#put(writer.bytes, writer.length)),
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
    this.#bytes = new Uint8Array(0);
    this.#view = new DataView(this.#bytes.buffer);
    this.#exports = undefined as unknown as Exports;
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

  #putSource(code: string): number {
    if (code.length <= DIRECT_CHARS_MAX) return encodeText(code, this.#fresh(), this.#io);
    const bytes = utf8(code);
    return this.#put(bytes, bytes.length);
  }

  /** Puts input where the next call looks for it. */
  #put(bytes: Uint8Array, length: number): number {
    let at = this.#io;
    if (length > IO_BUFFER_BYTES) {
      at = this.#guarded(() => this.#exports.io_reserve(length)) >>> 0;
      if (at === 0) throw new LuaMemoryError("memory", `not enough memory for an input of ${length} bytes`);
    }
    this.#fresh().set(length === bytes.length ? bytes : bytes.subarray(0, length), at);
    return length;
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
    const reply = this.#reply();
    const { listAt, listLength, outputLength } = reply;
    const bytes = this.#fresh();
    const list = new Reader(bytes, listAt, listAt + listLength, this).list();
    const output =
      outputLength === 0 ? undefined : bytes.slice(listAt + listLength, listAt + listLength + outputLength);
    if (output !== undefined) this.#emit(output);
    this.sink.end();
    if (reply.status === Status.ok) return list;
    throw replyError(reply.status, list, this.#border.takeFailure());
  }

  #reply(): Reply {
    this.#fresh();
    const view = this.#view;
    const at = this.#io;
    return {
      status: view.getUint8(at),
      // Also of a reply that fits the header says where it is.
      listAt: view.getUint32(at + 4, true),
      listLength: view.getUint32(at + 8, true),
      outputLength: view.getUint32(at + 12, true),
    };
  }

  #emit(output: Uint8Array): void {
    const view = new DataView(output.buffer);
    for (let at = 0; at < output.length;) {
      const length = view.getUint32(at + 1, true);
      this.sink.write(view.getUint8(at), output.subarray(at + 5, at + 5 + length));
      at += 5 + length;
    }
  }

  #fresh(): Uint8Array {
    // A view of memory that has grown since has length 0.
    if (this.#bytes.length === 0) {
      this.#bytes = new Uint8Array(this.#exports.memory.buffer);
      this.#view = new DataView(this.#bytes.buffer);
    }
    return this.#bytes;
  }
}

function busyError(): LuaError {
  return new LuaError("usage", "this Lua is running: it cannot be called from inside");
}
