/**
 * The decoder: bytes to JavaScript values (docs/codec.md section 1, API "Conversion").
 *
 * Every byte is untrusted: what is wrong throws a `LuaError` of kind "value", whatever it is. Runs no code of
 * others, so bytes may be read where they lie.
 */
import { LuaError } from "../errors.js";
import { located, refuse, within } from "../value_path.js";
import { NUMBER_BYTES, readInteger, type Views } from "./plain.js";
import { Tag, VALUE_DEPTH_MAX } from "./tags.js";
import { bytesToBinary, decodeName, decodeString } from "./utf8.js";
import type { Conversion, LuaFunction, LuaReference, LuaValue, ValueContext } from "./values.js";

/** Types of references, as in lua.h. */
const REFERENCE_TYPES = [2, 7, 8];

/**
 * Length above which an array is made with its length at once: growing one costs more than all else there.
 * Below, making it so does.
 */
const GROWN_MAX = 16;

/**
 * Number of properties above which a record begins without a prototype: V8 then takes it for a dictionary
 * from the start, which it would become anyway, after going through a shape for each property. With a
 * thousand of them that is up to four times as fast.
 */
const SHAPED_MAX = 16;

/** Conversion that loses nothing, and makes the most usual values. */
const AUTO: Conversion = {};

/** Decodes messages, one after the other. */
export class Decoder {
  /** True if the last list itself had a host object: not inside of a table. */
  hosted = false;
  readonly #context: ValueContext;
  /** True if strings are to be bytes. */
  #toBytes = false;
  /** Kind of value that integers are to be; undefined: either, what is exact. */
  #integers: "number" | "bigint" | undefined;
  #bytes: Uint8Array = new Uint8Array(0);
  #view!: DataView;
  #at = 0;
  #end = 0;
  /** Tables by their numbers. */
  #tables: object[] = [];
  /** Number of references to tables that were still being read. */
  #backReferences = 0;
  /** Numbers of the tables for which the message has to be read again: see `#mayEnd`. */
  #mustBeMap: Set<number> | undefined;
  /** Values by their handles: one that is read twice (see `#mayEnd`) is still one. */
  #handles: Map<number, LuaFunction | LuaReference> | undefined;

  constructor(context: ValueContext) {
    this.#context = context;
  }

  /** Decodes a list that takes all the bytes from `start` to `end`. */
  list(views: Views, start: number, end: number, as?: Conversion): LuaValue[] {
    this.#begin(views, start, end, as);
    const values = this.#values();
    return this.#mayEnd(start) ? values : this.#values();
  }

  /** Decodes one value that takes all the bytes. */
  single(bytes: Uint8Array, as?: Conversion): LuaValue {
    this.#begin({ bytes, view: new DataView(bytes.buffer, bytes.byteOffset) }, 0, bytes.length, as);
    const value = this.#value(0);
    return this.#mayEnd(0) ? value : this.#value(0);
  }

  /** Decodes the key of an entry. */
  key(bytes: Uint8Array, as?: Conversion): LuaValue {
    return this.single(bytes, bytes[0] === Tag.string ? AUTO : as);
  }

  #values(): LuaValue[] {
    const count = this.#count("a list");
    const values: LuaValue[] = [];
    for (let i = 0; i < count; i++) values.push(this.#value(0));
    return values;
  }

  /**
   * Ends a message that began at `start`. Returns false if it has to be read a second time, because something
   * in it refers to a table as an object that turned out to be a Map: by now all such tables are known,
   * however many there are inside of each other.
   */
  #mayEnd(start: number): boolean {
    if (this.#at !== this.#end) throw malformed(`${this.#end - this.#at} bytes are left over`);
    // The values belong to the caller now.
    if (this.#tables.length > 0) this.#tables = [];
    if (this.#mustBeMap === undefined) return true;
    this.#at = start;
    return false;
  }

  #begin({ bytes, view }: Views, start: number, end: number, { strings, integers }: Conversion = AUTO): void {
    this.#toBytes = strings === "bytes";
    this.#integers = integers === "auto" ? undefined : integers;
    this.#bytes = bytes;
    this.#view = view;
    this.#at = start;
    this.#end = end;
    this.hosted = false;
    if (this.#tables.length > 0) this.#tables = [];
    this.#mustBeMap = this.#handles = undefined;
  }

  #value(depth: number): LuaValue {
    const at = this.#at;
    const left = this.#end - at;
    if (left <= 0) throw malformed("a value is missing");
    const tag = this.#bytes[at] as number;
    // What there is most of comes first, and in one step.
    if (left >= NUMBER_BYTES) {
      if (tag === Tag.integer) {
        this.#at = at + NUMBER_BYTES;
        const integer = readInteger(this.#view, at + 1);
        return this.#integers === undefined ? integer : this.#integer(integer);
      }
      if (tag === Tag.float) {
        this.#at = at + NUMBER_BYTES;
        return this.#view.getFloat64(at + 1, true);
      }
    }
    this.#at = at + 1;
    if (tag === Tag.string) {
      const length = this.#u32();
      const start = this.#take(length);
      if (this.#toBytes) return this.#bytes.slice(start, start + length);
      return decodeString(this.#bytes, start, length);
    }
    return this.#other(tag, depth);
  }

  /** Makes an integer what it is to be. */
  #integer(integer: number | bigint): number | bigint {
    if (this.#integers === "bigint") return BigInt(integer);
    if (typeof integer === "number") return integer;
    refuse(
      `${integer} is no safe integer, and option "integers" is "number"`,
      (message) => new LuaError("value", message),
    );
  }

  /** Decodes a value that is no number and no text. */
  #other(tag: number, depth: number): LuaValue {
    switch (tag) {
      case Tag.nil:
        return undefined;
      case Tag.boolean:
        return this.#boolean();
      case Tag.integer:
      case Tag.float:
        throw malformed("a number is cut short");
      case Tag.table:
        return this.#table(depth + 1);
      case Tag.emptyList:
        return this.#emptyList(depth + 1);
      case Tag.back:
        return this.#back();
      case Tag.external:
        return this.#external();
      case Tag.function:
        return this.#function();
      case Tag.reference:
        return this.#reference();
      case Tag.hostFunction:
        return this.#host(tag) as LuaValue;
      case Tag.hostObject:
        if (depth === 0) this.hosted = true;
        return this.#host(tag) as LuaValue;
      case Tag.null:
        return null;
      default:
        throw malformed(`0x${tag.toString(16)} is no tag`);
    }
  }

  #boolean(): boolean {
    const byte = this.#bytes[this.#take(1)] as number;
    if (byte > 1) throw malformed(`a boolean is ${byte}`);
    return byte === 1;
  }

  #emptyList(depth: number): LuaValue {
    checkDepth(depth);
    const array: LuaValue[] = [];
    this.#tables.push(array);
    return array;
  }

  #table(depth: number): LuaValue {
    checkDepth(depth);
    const listed = this.#count("a table");
    const paired = this.#count("a table", 2);
    if (paired === 0 && listed > 0) {
      const array: LuaValue[] = listed > GROWN_MAX ? new Array(listed) : [];
      this.#tables.push(array);
      for (let i = this.#numbers(array, listed); i < listed; i++) array[i] = this.#present(depth, i + 1);
      return array;
    }
    if (listed === 0 && !this.#mustBeMap?.has(this.#tables.length)) return this.#record(paired, depth);
    const map = new Map<LuaValue, LuaValue>();
    this.#tables.push(map);
    for (let i = 1; i <= listed; i++) map.set(this.#integers === "bigint" ? BigInt(i) : i, this.#present(depth, i));
    return this.#pairs(map, paired, depth);
  }

  /**
   * Decodes at most `count` numbers, as long as nothing else comes, and says how many. Many arrays have
   * nothing else.
   */
  #numbers(array: LuaValue[], count: number): number {
    const bytes = this.#bytes;
    const view = this.#view;
    const last = this.#end - NUMBER_BYTES;
    const asTheyAre = this.#integers === undefined;
    let at = this.#at;
    let done = 0;
    for (; done < count && at <= last; done++) {
      const tag = bytes[at];
      if (tag === Tag.float) array[done] = view.getFloat64(at + 1, true);
      else if (tag === Tag.integer && asTheyAre) array[done] = readInteger(view, at + 1);
      else break;
      at += NUMBER_BYTES;
    }
    this.#at = at;
    return done;
  }

  /**
   * Decodes a table with pairs only: a plain object, until a key turns up that is no text, or a function
   * under `then`, which would make the object a promise for `await` and the like. Then it is a Map. What
   * refers to it already has the object, so it is noted for `#mayEnd`.
   */
  #record(paired: number, depth: number): LuaValue {
    const large = paired > SHAPED_MAX;
    const record: { [key: string]: LuaValue } = large ? Object.create(null) : {};
    const number = this.#tables.push(record) - 1;
    const seen = this.#backReferences;
    for (let i = 0; i < paired; i++) {
      const key = this.#key(depth);
      let value: LuaValue;
      if (typeof key === "string") {
        value = this.#present(depth, key);
        if (typeof value !== "function" || key !== "then") {
          setProperty(record, key, value);
          continue;
        }
      }
      const map = new Map<LuaValue, LuaValue>(Object.entries(record));
      if (seen !== this.#backReferences) (this.#mustBeMap ??= new Set()).add(number);
      this.#tables[number] = map;
      map.set(key, value ?? this.#present(depth, key));
      return this.#pairs(map, paired - i - 1, depth);
    }
    if (large) Object.setPrototypeOf(record, Object.prototype);
    return record;
  }

  #pairs(map: Map<LuaValue, LuaValue>, paired: number, depth: number): LuaValue {
    for (let i = 0; i < paired; i++) {
      const key = this.#key(depth);
      map.set(key, this.#present(depth, key));
    }
    return map;
  }

  #key(depth: number): LuaValue {
    if (this.#bytes[this.#at] === Tag.string) {
      this.#take(1);
      const length = this.#u32();
      return decodeName(this.#bytes, this.#view, this.#take(length), length);
    }
    const key = this.#present(depth);
    if (Number.isNaN(key)) throw malformed("a key is NaN");
    return key;
  }

  /** Decodes the value under `key`, which must not be nil; a key, without one. */
  #present(depth: number, key?: LuaValue): LuaValue {
    let value: LuaValue;
    try {
      value = this.#value(depth);
    } catch (error) {
      within(error, key);
      throw depth > 1 ? error : located(error);
    }
    if (value === undefined) throw malformed("a table has a nil key or value");
    return value;
  }

  #back(): LuaValue {
    const number = this.#u32();
    const table = this.#tables[number];
    if (table === undefined) throw malformed(`table ${number} has not begun`);
    this.#backReferences += 1;
    return table as LuaValue;
  }

  #external(): LuaValue {
    const length = this.#u32();
    return this.#context.external(bytesToBinary(this.#bytes, this.#take(length), length));
  }

  #function(): LuaValue {
    return this.#once(this.#u32(), (handle) => this.#context.function(handle));
  }

  #reference(): LuaValue {
    const type = this.#bytes[this.#take(1)] as number;
    if (!REFERENCE_TYPES.includes(type)) throw malformed(`${type} is no type of a reference`);
    return this.#once(this.#u32(), (handle) => this.#context.reference(type, handle));
  }

  /**
   * Decodes a host function or host object. The description that follows the id is the host's own: it is
   * skipped.
   */
  #host(tag: number): unknown {
    const id = this.#u32();
    this.#take(this.#u32());
    const entry = this.#context.host.entry(id);
    if (entry === undefined || entry.tag !== tag) throw malformed(`${id} is no id of the host`);
    return entry.value;
  }

  #once(handle: number, make: (handle: number) => LuaFunction | LuaReference): LuaValue {
    const handles = (this.#handles ??= new Map());
    let made = handles.get(handle);
    if (made === undefined) handles.set(handle, (made = make(handle)));
    return made;
  }

  /** Reads a count of values, each of which takes at least `each` bytes. */
  #count(of: string, each = 1): number {
    const count = this.#u32();
    if (count * each > this.#end - this.#at) throw malformed(`${of} claims ${count} values`);
    return count;
  }

  #u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** Steps over `length` bytes, and returns where they are. */
  #take(length: number): number {
    const at = this.#at;
    if (length > this.#end - at) throw malformed(`${length} bytes are needed, ${this.#end - at} are left`);
    this.#at = at + length;
    return at;
  }
}

function checkDepth(depth: number): void {
  if (depth > VALUE_DEPTH_MAX) throw malformed(`tables are nested deeper than ${VALUE_DEPTH_MAX}`);
}

/** Sets an own property of any name, `__proto__` too. */
function setProperty(record: { [key: string]: LuaValue }, key: string, value: LuaValue): void {
  if (key !== "__proto__") record[key] = value;
  else Object.defineProperty(record, key, { value, writable: true, enumerable: true, configurable: true });
}

function malformed(what: string): LuaError {
  return new LuaError("value", `malformed bytes: ${what}`);
}
