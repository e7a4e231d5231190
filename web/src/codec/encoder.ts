/**
 * The encoder: JavaScript values to bytes (docs/codec.md section 1, API "Conversion").
 *
 * Writes into memory of its own, never into the module's: reading the properties of an object may run code of
 * others, and that code may call Lua.
 */
import { ByteWriter } from "./bytes.js";
import { ExternalTable } from "./external_table.js";
import { LuaFunction, LuaReference, handleOf } from "../host/handles.js";
import type { Entry } from "../host/entries.js";
import { isArrayBuffer, isDate, isError, isMap, isPlain, isPromise, isUsualError } from "../brands.js";
import { className } from "../names.js";
import { HostRef, LuaDetachedObject } from "../host/refs.js";
import { located, refuse, within } from "../value_path.js";
import { Tag, VALUE_DEPTH_MAX } from "./tags.js";
import { bytesToBinary, fromBinary } from "./utf8.js";
import type { ValueContext } from "./values.js";

/** Destination of a message: a VM, or (without its functions, which die with it) a store. */
export type Target = ValueContext | "store";

const idle: Encoder[] = [];

/**
 * Calls `write` to fill a message and `use` to take it. The encoder's memory is used again: `use` must not
 * keep it. When either throws, Lua will never see the message: the ids in it are not in use.
 */
export function withEncoder<T>(target: Target, write: (encoder: Encoder) => void, use: (encoder: Encoder) => T): T {
  // Not one encoder for all: `write` may run code of others that writes a message of its own.
  const encoder = idle.pop() ?? new Encoder();
  try {
    encoder.begin(target);
    write(encoder);
    return use(encoder);
  } catch (error) {
    encoder.takeBack();
    throw located(error);
  } finally {
    encoder.end();
    idle.push(encoder);
  }
}

/** Encodes one value as the store has it. */
export function toStored(value: unknown): string {
  return withEncoder(
    "store",
    (encoder) => encoder.value(value),
    ({ bytes, length }) => bytesToBinary(bytes, 0, length),
  );
}

/** Encodes one message. */
export class Encoder extends ByteWriter {
  #target: Target = "store";
  /** Numbers of the tables that have begun. */
  readonly #numbers = new Map<object, number>();
  #depth = 0;
  /** Ids of host functions and objects that were written. */
  readonly #used: number[] = [];

  /** Starts a message. */
  begin(target: Target): void {
    this.#target = target;
  }

  /** Ends a message, and keeps none of its values. */
  end(): void {
    this.reset();
    this.#numbers.clear();
    this.#used.length = 0;
    this.#depth = 0;
    this.#target = "store";
  }

  /** Takes back the ids in a message that goes nowhere. */
  takeBack(): void {
    if (this.#target === "store") return;
    for (const id of this.#used) this.#target.host.release(id, 1);
  }

  /** Encodes a list. */
  list(values: readonly unknown[]): void {
    this.u32(values.length);
    for (const value of values) this.value(value);
  }

  /** Encodes one value. */
  value(value: unknown): void {
    if (this.plain(value)) return;
    switch (typeof value) {
      case "bigint":
        return this.taggedBigint(Tag.integer, value);
      case "object":
        return this.#object(value as object);
      case "function":
        if (value instanceof LuaFunction) return this.#handle(value);
        return this.#host(Tag.hostFunction, value);
      default:
        return refuse(`a ${typeof value} cannot be given to Lua`);
    }
  }

  #object(value: object): void {
    const number = this.#numbers.get(value);
    if (number !== undefined) {
      this.u8(Tag.back);
      return this.u32(number);
    }
    if (ArrayBuffer.isView(value)) {
      return this.taggedBytes(Tag.string, new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
    }
    if (value instanceof ExternalTable) return this.taggedBytes(Tag.external, fromBinary(value.binaryName));
    if (value instanceof LuaReference) return this.#handle(value);
    if (Array.isArray(value)) {
      const at = this.length;
      if (this.#table(value, () => this.#array(value)) > 0) return;
      // In place of the tag and the counts, which are all that is there.
      this.length = at;
      return this.u8(Tag.emptyList);
    }
    // Those that most are, first: to ask whether it is a Map costs an exception where it is none.
    if (value instanceof HostRef || value instanceof LuaDetachedObject) return this.#host(Tag.hostObject, value);
    if (isPlain(value)) return void this.#table(value, () => this.#record(value as Record<string, unknown>));
    if (isUsualError(value)) return this.#host(Tag.hostObject, value);
    if (isMap(value)) return void this.#table(value, () => this.#map(value));
    if (isArrayBuffer(value)) return this.taggedBytes(Tag.string, new Uint8Array(value));
    if (isError(value)) return this.#host(Tag.hostObject, value);
    refuseObject(value);
  }

  #handle(value: LuaFunction | LuaReference): void {
    const { handle, type } = handleOf(value, this.#context());
    if (type === undefined) {
      this.u8(Tag.function);
    } else {
      this.u8(Tag.reference);
      this.u8(type);
    }
    this.u32(handle);
  }

  #host(tag: number, value: object): void {
    const { host } = this.#context();
    const id = host.use(value);
    this.#used.push(id);
    this.u8(tag);
    this.u32(id);
    this.text((host.entry(id) as Entry).label);
  }

  /** Returns the target's context for a value that lives no longer than a VM; a store refuses it. */
  #context(): ValueContext {
    if (this.#target !== "store") return this.#target;
    return refuse("functions, threads, userdata and errors cannot be kept in an external table");
  }

  /**
   * Encodes a table: tag, two counts and contents, which say how many they were: [listed, paired]. Returns
   * the number of both.
   */
  #table(value: object, contents: () => [number, number]): number {
    if (++this.#depth > VALUE_DEPTH_MAX) {
      refuse(`the value is nested deeper than ${VALUE_DEPTH_MAX} tables`, RangeError);
    }
    this.#numbers.set(value, this.#numbers.size);
    this.u8(Tag.table);
    const at = this.length;
    this.u32(0);
    this.u32(0);
    const [listed, paired] = contents();
    this.patchU32(at, listed);
    this.patchU32(at + 4, paired);
    this.#depth -= 1;
    return listed + paired;
  }

  #array(array: readonly unknown[]): [number, number] {
    let listed = this.numbers(array);
    let paired = 0;
    let place = listed;
    try {
      for (; listed < array.length; place = ++listed) {
        const value = array[listed];
        if (isNil(value)) break;
        this.value(value);
      }
      if (listed === array.length) return [listed, paired];
      // After the first hole: only what is there. An array may claim four thousand million places.
      for (const name of Object.keys(array)) {
        place = Number(name);
        if (!(place > listed) || String(place) !== name || place >= array.length) continue;
        const value = array[place];
        if (isNil(value)) continue;
        this.value(place + 1);
        this.value(value);
        paired += 1;
      }
    } catch (error) {
      throw within(error, place);
    }
    return [listed, paired];
  }

  #map(map: ReadonlyMap<unknown, unknown>): [number, number] {
    let listed = 0;
    let paired = 0;
    let place: unknown = 1;
    try {
      for (let value = map.get(1); !isNil(value); value = map.get(place)) {
        this.value(value);
        place = ++listed + 1;
      }
      for (const [key, value] of map) {
        if (typeof key === "number" && Number.isInteger(key) && key >= 1 && key <= listed) continue;
        place = undefined;
        if (isNil(key) || Number.isNaN(key)) refuse(`${key as null} cannot be a key of a Lua table`);
        if (isNil(value)) continue;
        this.value(key);
        place = key;
        this.value(value);
        paired += 1;
      }
    } catch (error) {
      throw within(error, place);
    }
    return [listed, paired];
  }

  #record(record: Record<string, unknown>): [number, number] {
    let paired = 0;
    let place: unknown;
    try {
      for (const key of Object.keys(record)) {
        const value = record[key];
        if (isNil(value)) continue;
        place = undefined;
        this.value(key);
        place = key;
        this.value(value);
        paired += 1;
      }
    } catch (error) {
      throw within(error, place);
    }
    return [0, paired];
  }
}

function isNil(value: unknown): value is undefined | null {
  return value === undefined || value === null;
}

function refuseObject(value: object): never {
  let hint = "";
  if (isDate(value)) hint = "; pass Math.floor(date.getTime() / 1000), which is what Lua's os.date takes";
  if (isPromise(value)) hint = "; await it first";
  refuse(`a ${className(value)} cannot be given to Lua${hint}`);
}
