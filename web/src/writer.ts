/**
 * JavaScript values to bytes (docs/codec.md section 1, API "Conversion").
 *
 * Writes into memory of its own, never into the module's: reading the properties of an object may run code of others,
 * and that code may call Lua.
 */
import { LuaFunction, LuaReference, handleOf } from "./handles.js";
import { Tag, VALUE_DEPTH_MAX } from "./tags.js";
import { LuaTable } from "./table.js";
import { bytesToBinary, encodeText } from "./utf8.js";
import type { Realm } from "./values.js";

const TWO_32 = 2 ** 32;
const FIRST_BYTES = 1024;
/** What a writer may keep for the next message. */
const KEPT_BYTES_MAX = 1 << 20;

/** Where a message goes: to a VM, or (without its functions, which die with it) to a store. */
export type Target = Realm | "store";

const idle: Writer[] = [];

/** Has `write` fill a message and `use` take it. The writer's memory is used again; `use` must not keep it. */
export function message<T>(target: Target, write: (writer: Writer) => void, use: (writer: Writer) => T): T {
  // Not one writer for all: `write` may run code of others that writes a message of its own.
  const writer = idle.pop() ?? new Writer();
  try {
    writer.begin(target);
    write(writer);
    return use(writer);
  } finally {
    writer.end();
    idle.push(writer);
  }
}

/** One value as the store holds it. */
export function toStored(value: unknown): string {
  return message(
    "store",
    (writer) => writer.value(value),
    ({ bytes, length }) => bytesToBinary(bytes, 0, length),
  );
}

/** Writes one message. */
export class Writer {
  /** Holds the message in its first `length` bytes. */
  bytes: Uint8Array = new Uint8Array(FIRST_BYTES);
  length = 0;
  #view = new DataView(this.bytes.buffer);
  #target: Target = "store";
  /** Numbers of the tables that have begun. */
  readonly #numbers = new Map<object, number>();
  #depth = 0;

  /** Forgets the last message. */
  begin(target: Target): void {
    this.length = 0;
    this.#depth = 0;
    this.#target = target;
  }

  /** Lets go of what the message held. */
  end(): void {
    this.#numbers.clear();
    this.#target = "store";
    if (this.bytes.length > KEPT_BYTES_MAX) this.#resize(FIRST_BYTES);
  }

  /** A list. */
  list(values: readonly unknown[]): void {
    this.#u32(values.length);
    for (const value of values) this.value(value);
  }

  /** One value. */
  value(value: unknown): void {
    switch (typeof value) {
      case "undefined":
        return this.#tag(Tag.nil);
      case "boolean":
        this.#reserve(2);
        this.bytes[this.length++] = Tag.boolean;
        this.bytes[this.length++] = value ? 1 : 0;
        return;
      case "number":
        return this.#number(value);
      case "bigint":
        return this.#bigint(value);
      case "string":
        return this.text(value);
      case "object":
        return this.#object(value);
      case "function":
        if (value instanceof LuaFunction) return this.#handle(value);
        throw new TypeError("JavaScript functions cannot be given to Lua in this version");
      default:
        throw new TypeError(`a ${typeof value} cannot be given to Lua`);
    }
  }

  /** A string of text. */
  text(text: string): void {
    this.#reserve(5 + 3 * text.length);
    const written = encodeText(text, this.bytes, this.length + 5);
    this.bytes[this.length] = Tag.string;
    this.#view.setUint32(this.length + 1, written, true);
    this.length += 5 + written;
  }

  #number(value: number): void {
    this.#reserve(9);
    const at = this.length;
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
      this.bytes[at] = Tag.integer;
      this.#view.setUint32(at + 1, value >>> 0, true);
      this.#view.setInt32(at + 5, Math.floor(value / TWO_32), true);
    } else {
      this.bytes[at] = Tag.float;
      this.#view.setFloat64(at + 1, value, true);
    }
    this.length += 9;
  }

  #bigint(value: bigint): void {
    if (BigInt.asIntN(64, value) !== value) throw new RangeError(`${value}n does not fit in Lua's 64 bits`);
    this.#reserve(9);
    this.bytes[this.length] = Tag.integer;
    this.#view.setBigInt64(this.length + 1, value, true);
    this.length += 9;
  }

  #object(value: object | null): void {
    if (value === null) return this.#tag(Tag.nil);
    const number = this.#numbers.get(value);
    if (number !== undefined) {
      this.#tag(Tag.back);
      return this.#u32(number);
    }
    if (ArrayBuffer.isView(value)) return this.#blob(value.buffer, value.byteOffset, value.byteLength);
    if (value instanceof ArrayBuffer) return this.#blob(value, 0, value.byteLength);
    if (value instanceof LuaTable) return this.#external(value);
    if (value instanceof LuaReference) return this.#handle(value);
    if (Array.isArray(value)) return this.#table(value, () => this.#array(value));
    if (value instanceof Map) return this.#table(value, () => this.#map(value));
    checkPlain(value);
    this.#table(value, () => this.#record(value as Record<string, unknown>));
  }

  #blob(buffer: ArrayBufferLike, offset: number, length: number): void {
    this.#reserve(5 + length);
    this.#tag(Tag.string);
    this.#u32(length);
    this.bytes.set(new Uint8Array(buffer, offset, length), this.length);
    this.length += length;
  }

  #external({ binaryName }: LuaTable): void {
    this.#reserve(5 + binaryName.length);
    this.#tag(Tag.external);
    this.#u32(binaryName.length);
    for (let i = 0; i < binaryName.length; i++) this.bytes[this.length++] = binaryName.charCodeAt(i);
  }

  #handle(value: LuaFunction | LuaReference): void {
    if (this.#target === "store") {
      throw new TypeError("functions, threads and userdata cannot be kept in an external table");
    }
    const { handle, type } = handleOf(value, this.#target);
    if (type === undefined) {
      this.#tag(Tag.function);
    } else {
      this.#tag(Tag.reference);
      this.#tag(type);
    }
    this.#u32(handle);
  }

  /** Tag, two counts and contents, which say how many they were: [listed, paired]. */
  #table(value: object, contents: () => [number, number]): void {
    if (++this.#depth > VALUE_DEPTH_MAX) {
      throw new RangeError(`the value is nested deeper than ${VALUE_DEPTH_MAX} tables`);
    }
    this.#numbers.set(value, this.#numbers.size);
    this.#tag(Tag.table);
    const at = this.length;
    this.#u32(0);
    this.#u32(0);
    const [listed, paired] = contents();
    this.#view.setUint32(at, listed, true);
    this.#view.setUint32(at + 4, paired, true);
    this.#depth -= 1;
  }

  #array(array: readonly unknown[]): [number, number] {
    let listed = 0;
    for (; listed < array.length; listed++) {
      const value = array[listed];
      if (isNil(value)) break;
      this.value(value);
    }
    if (listed === array.length) return [listed, 0];
    // After the first hole: only what is there. An array may claim four thousand million places.
    let paired = 0;
    for (const name of Object.keys(array)) {
      const index = Number(name);
      if (!(index > listed) || String(index) !== name || index >= array.length) continue;
      if (this.#pair(index + 1, array[index])) paired += 1;
    }
    return [listed, paired];
  }

  #map(map: ReadonlyMap<unknown, unknown>): [number, number] {
    let listed = 0;
    for (let value = map.get(1); !isNil(value); value = map.get(listed + 1)) {
      this.value(value);
      listed += 1;
    }
    let paired = 0;
    for (const [key, value] of map) {
      if (typeof key === "number" && Number.isInteger(key) && key >= 1 && key <= listed) continue;
      if (isNil(key) || Number.isNaN(key)) throw new TypeError(`${String(key)} cannot be a key of a Lua table`);
      if (this.#pair(key, value)) paired += 1;
    }
    return [listed, paired];
  }

  #record(record: Record<string, unknown>): [number, number] {
    let paired = 0;
    for (const key of Object.keys(record)) {
      if (this.#pair(key, record[key])) paired += 1;
    }
    return [0, paired];
  }

  /** A pair, unless its value is nil. */
  #pair(key: unknown, value: unknown): boolean {
    if (isNil(value)) return false;
    this.value(key);
    this.value(value);
    return true;
  }

  #tag(tag: number): void {
    this.#reserve(1);
    this.bytes[this.length++] = tag;
  }

  #u32(value: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.length, value, true);
    this.length += 4;
  }

  #reserve(more: number): void {
    const needed = this.length + more;
    if (needed > this.bytes.length) this.#resize(Math.max(needed, 2 * this.bytes.length));
  }

  #resize(size: number): void {
    const bytes = new Uint8Array(size);
    bytes.set(this.bytes.subarray(0, Math.min(this.length, size)));
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}

function isNil(value: unknown): value is undefined | null {
  return value === undefined || value === null;
}

/** Plain objects, those of other windows too; of anything else only a part would arrive. */
function checkPlain(value: object): void {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null || prototype === Object.prototype) return;
  if (Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype as object, "hasOwnProperty")) return;
  const constructor: unknown = (value as { constructor?: unknown }).constructor;
  const name = typeof constructor === "function" && constructor.name ? constructor.name : "class instance";
  const hint = value instanceof Date ? "; pass date.getTime() / 1000, which is what Lua's os.date takes" : "";
  throw new TypeError(`a ${name} cannot be given to Lua${hint}`);
}
