/**
 * Calls of host functions by Lua: the imports `host_call` and `host_take` (docs/codec.md section 5).
 *
 * Invariants:
 * - Arguments are decoded as a whole before anything of the caller's runs, results are written into memory of
 *   their own, and only then into the module's, found anew: in between, Lua may have been called, to any
 *   depth.
 * - Nothing is thrown: whatever goes wrong is raised in Lua.
 */
import { isErrorOf, isUint8Array } from "../brands.js";
import type { LuaError } from "../errors.js";
import type { HostFunction } from "./entries.js";
import type { Memory } from "../instance/memory.js";
import { writeOne } from "../codec/plain.js";
import { decodeString } from "../codec/utf8.js";
import type { Decoder } from "../codec/decoder.js";
import { LuaDetachedObject, readMember, thrown, writeMember } from "./refs.js";
import type { RaisedErrors } from "../instance/reply.js";
import { End, HOST_ID_FIRST, Service, Tag } from "../codec/tags.js";
import { hooksOf, type Wait } from "../tasks/tasks.js";
import type { Conversion, LuaValue, ValueContext } from "../codec/values.js";
import { withEncoder } from "../codec/encoder.js";

/** Length of a list that does not fit into what `host_call` returns. */
const LIST_BYTES_MAX = 2 ** 30;

/** Several results of a host function: `return LuaMultiReturn.of(1, "two")`. */
export class LuaMultiReturn<T = unknown> extends Array<T> {
  /** Inherited; values of different types may be given. */
  declare static of: <T extends unknown[]>(...values: T) => LuaMultiReturn<T[number]>;
}

/** Functions behind the ids below 16. */
export type Services = { readonly [id: number]: HostFunction | undefined };

/** Answers the calls of one instance. */
export class HostCalls {
  /** Wait of the call that ended last. */
  #wait: Wait | undefined;
  /** List that did not fit, until it is taken. */
  #kept: Uint8Array | undefined;
  readonly #context: ValueContext;
  readonly #memory: Memory;
  readonly #decoder: Decoder;
  readonly #errors: RaisedErrors;
  readonly #services: Services;

  constructor(context: ValueContext, memory: Memory, decoder: Decoder, errors: RaisedErrors, services: Services) {
    this.#context = context;
    this.#memory = memory;
    this.#decoder = decoder;
    this.#errors = errors;
    this.#services = services;
  }

  /** Answers the import `host_call`. */
  call(id: number, args: number, length: number, mayWait: number, out: number, capacity: number): number {
    try {
      if (id < HOST_ID_FIRST) return this.#serve(id, args, length, mayWait, out, capacity);
      const entry = this.#context.host.entry(id);
      if (entry === undefined || entry.tag !== Tag.hostFunction) throw new Error(`there is no host function ${id}`);
      // Not called as a property of its entry: `this` is undefined.
      const fn = entry.value as HostFunction;
      const result: unknown = fn(...this.#arguments(args, args + length, this.#context.conversion));
      return this.#result(result, entry.label, undefined, mayWait, out, capacity);
    } catch (error) {
      return this.#raise(error, out, capacity);
    }
  }

  /** Answers the import `host_take`. */
  take(out: number, capacity: number): number {
    const kept = this.#kept;
    if (kept === undefined) return 0;
    if (kept.length <= capacity) {
      this.#memory.fresh().bytes.set(kept, out);
      this.#kept = undefined;
    }
    return kept.length;
  }

  /** Takes the wait of the call that ended last. */
  takeWait(): Wait | undefined {
    const wait = this.#wait;
    this.#wait = undefined;
    return wait;
  }

  #arguments(start: number, end: number, as?: Conversion): LuaValue[] {
    return this.#decoder.list(this.#memory.fresh(), start, end, as);
  }

  #serve(id: number, args: number, length: number, mayWait: number, out: number, capacity: number): number {
    const isMember = id === Service.get || id === Service.set;
    const values = this.#arguments(args, args + length, isMember ? this.#context.conversion : undefined);
    if (isMember) {
      // By its id: an object may have been given more than once, with other members.
      const entry = this.#context.host.entry(this.#memory.fresh().view.getUint32(args + 5, true));
      if (entry?.tag !== Tag.hostObject) throw new Error("there is no such host object");
      if (entry.value instanceof LuaDetachedObject)
        throw new Error(`${entry.label} stayed behind when the image was made`);
      const [, given, value] = values;
      // Names are text, whatever strings are.
      const key = isUint8Array(given) ? decodeString(given, 0, given.length) : given;
      const result: unknown = id === Service.get ? readMember(entry, key) : writeMember(entry, key, value);
      return this.#result(result, entry.label, key, mayWait, out, capacity);
    }
    const service = this.#services[id];
    if (service === undefined) throw new Error(`the host has no service ${id}`);
    return this.#result(service(...values), SERVICE_NAMES[id] ?? "", undefined, mayWait, out, capacity);
  }

  /** Writes the result of `label` (or of its member `key`) for Lua. */
  #result(result: unknown, label: string, key: LuaValue, mayWait: number, out: number, capacity: number): number {
    try {
      const written = this.#quick(result, out, capacity);
      if (written > 0) return written;
      if (!isThenable(result)) return (this.#give(resultsOf(result), out, capacity) << 2) | End.returns;
      const wait = waitFor(result, describe(label, key));
      if (mayWait === 0) {
        // Or the functions of an `async.all` would run when nobody waits for them.
        wait.cancel?.();
        throw waitError(wait.name);
      }
      this.#wait = wait;
      return End.waits;
    } catch (error) {
      throw resultError(describe(label, key), error);
    }
  }

  /** Writes a result that is nothing but bytes; 0 when it is something else, or there may be no room. */
  #quick(result: unknown, out: number, capacity: number): number {
    if (capacity < 5) return 0;
    const memory = this.#memory.fresh();
    const count = result === undefined ? 0 : 1;
    const end = count === 0 ? out + 4 : writeOne(memory, out + 4, out + capacity, result);
    if (end === 0) return 0;
    memory.view.setUint32(out, count, true);
    return ((end - out) << 2) | End.returns;
  }

  #raise(error: unknown, out: number, capacity: number): number {
    if (this.#errors.isLast(error)) return End.raisesAgain;
    const write = (value: unknown) => (this.#give([value], out, capacity) << 2) | End.raises;
    try {
      return writeThrown(error, this.#errors, write);
    } catch {
      // No memory, no stack: something is raised, whatever there is room for.
      return write("a host function failed");
    }
  }

  /** Writes a list to `out`, or keeps it, and returns its length. */
  #give(values: readonly unknown[], out: number, capacity: number): number {
    return withEncoder(
      this.#context,
      (encoder) => encoder.list(values),
      ({ bytes, length }) => {
        if (length >= LIST_BYTES_MAX) throw new RangeError(`${length} bytes are too much for Lua`);
        if (length <= capacity) this.#memory.fresh().bytes.set(bytes.subarray(0, length), out);
        else this.#kept = bytes.slice(0, length);
        return length;
      },
    );
  }
}

/** Names of the services, for messages. */
const SERVICE_NAMES: readonly (string | undefined)[] = [
  undefined,
  undefined,
  "require",
  "io.read",
  "async.all",
  "async.sleep",
];

/** Names a host function, or a member, for messages. */
function describe(label: string, key: LuaValue): string {
  if (key !== undefined) return `'${String(key)}' of ${label}`;
  return label === "" ? "a host function" : `'${label}'`;
}

function waitError(name: string): Error {
  return new Error(
    `${name} returned a promise, and nothing here can wait: run it with evalAsync or callAsync, and not inside a ` +
      "function that cannot be suspended (table.sort, string.gsub, ext.transaction ...)",
  );
}

/**
 * Returns what a host function returned, or a promise was resolved with, as the list of results that Lua
 * gets.
 */
export function resultsOf(result: unknown): readonly unknown[] {
  if (result instanceof LuaMultiReturn) return result;
  return result === undefined ? [] : [result];
}

/** Says whether `await` would wait for it. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  return typeof (value as { then?: unknown }).then === "function";
}

/**
 * Adds the name of the host function to the error of a result that cannot cross; other errors are as they
 * are.
 */
export function resultError(name: string, error: unknown): unknown {
  const isTypeError = isErrorOf(error, "TypeError");
  if (!isTypeError && !isErrorOf(error, "RangeError")) return error;
  const made = isTypeError ? TypeError : RangeError;
  return new made(`result of ${name}: ${error.message}`, { cause: error });
}

/**
 * Calls `write` with what Lua gets for something thrown: for an error of Lua its own value, if that can be;
 * else an object.
 */
export function writeThrown<T>(error: unknown, errors: RaisedErrors, write: (value: unknown) => T): T {
  if (errors.has(error) && (error as LuaError).value !== undefined) {
    try {
      return write((error as LuaError).value);
    } catch {
      // Then as an object.
    }
  }
  return write(thrown(error));
}

function waitFor(thenable: PromiseLike<unknown>, name: string): Wait {
  // A promise of our own: its reactions come in microtasks, whatever the other one does.
  const promise = new Promise((resolve) => resolve(thenable));
  // Who waits will be told. When nobody does, nothing is lost but what was given up.
  promise.catch(() => {});
  return { promise, name, ...hooksOf(thenable) };
}
