/**
 * Values of SQL between JavaScript and the module (docs/codec.md, section 7): arguments are written as bytes
 * at once, results are read where they lie. No tree of values is made in between.
 *
 * | JavaScript | SQLite |
 * |---|---|
 * | string | TEXT |
 * | number: safe integer; other | INTEGER; REAL |
 * | bigint of 64 bits | INTEGER, read as a number where that is exact |
 * | boolean | INTEGER 0 or 1 |
 * | null | NULL |
 * | Uint8Array, ArrayBuffer, other views | BLOB, read as Uint8Array |
 * | plain object, array | TEXT, its JSON |
 *
 * Invariants:
 * - Nothing is converted silently: what has no place in SQLite, or in JSON, is refused with the path to it
 *   and what to do instead.
 * - Arguments are written into memory of their own: a getter or a proxy among them may call the capsule.
 * - Reading runs no code of others.
 */
import { isArrayBuffer, isDate, isMap, isPlain, isPromise } from "../brands.js";
import { ByteWriter } from "../codec/bytes.js";
import { readInteger, type Views } from "../codec/plain.js";
import { Tag } from "../codec/tags.js";
import { decodeName, decodeString, readText } from "../codec/utf8.js";
import { className } from "../names.js";
import { CapsuleError, usageError } from "./errors.js";
import type { Params, Row, SqlValue } from "./types.js";

/** Deepest nesting of an object that is stored as JSON: what SQLite's own functions can read. */
const JSON_DEPTH_MAX = 1000;

/** Bytes of a number with its tag. */
const NUMBER_BYTES = 9;

/** Position of a value, for messages: in a list of parameters, or in a row. */
type Place = string | number;

/** Writer of the arguments of one operation after the other. */
export class ArgumentWriter {
  readonly #bytes = new ByteWriter();
  /** Number of values so far. */
  #count = 0;
  /** Words before a place in messages: `row 3, `. */
  #within = "";

  /** Begins the arguments of an operation. */
  begin(): this {
    this.#bytes.reset();
    this.#bytes.u32(0);
    this.#count = 0;
    this.#within = "";
    return this;
  }

  /** Ends the arguments: these are the first `length` of the bytes. */
  end(): { bytes: Uint8Array; length: number } {
    this.#bytes.patchU32(0, this.#count);
    return { bytes: this.#bytes.bytes, length: this.#bytes.length };
  }

  nil(): this {
    return this.#plain(undefined);
  }

  boolean(flag: boolean): this {
    return this.#plain(flag);
  }

  integer(integer: number): this {
    return this.#plain(integer);
  }

  /** Writes an integer, or nil. */
  optionalInteger(integer: number | undefined): this {
    return this.#plain(integer);
  }

  /** Writes a text that is no value: a name, SQL, source. `what` it is. */
  text(text: unknown, what: string): this {
    if (typeof text !== "string") throw usageError(`${what} must be a string, not ${described(text)}`);
    try {
      return this.#plain(text);
    } catch (cause) {
      throw usageError(`${what}: ${(cause as Error).message}`, { cause });
    }
  }

  /** Writes a text, or nil. */
  optionalText(text: string | undefined, what: string): this {
    return text === undefined ? this.nil() : this.text(text, what);
  }

  /** Writes bytes that are no value. */
  bytes(bytes: Uint8Array): this {
    this.#bytes.taggedBytes(Tag.string, bytes);
    this.#count += 1;
    return this;
  }

  /** Writes a key: a value, or a list of them where the key has several columns. */
  key(key: unknown): this {
    if (!Array.isArray(key)) return this.integer(1).value(key, "the key");
    this.integer(key.length);
    for (let i = 0; i < key.length; i++) this.value(key[i], `the key at ${i}`);
    return this;
  }

  /** Writes a row. A property that is undefined is a column that is not given. */
  row(row: unknown): this {
    if (typeof row !== "object" || row === null || Array.isArray(row) || !isPlain(row))
      throw usageError(`${this.#within}a row must be an object of columns, not ${described(row)}`);
    // Read once: what is counted is what is written.
    const names: string[] = [];
    const values: unknown[] = [];
    for (const name of Object.keys(row)) {
      const value = (row as Record<string, unknown>)[name];
      if (value === undefined) continue;
      names.push(name);
      values.push(value);
    }
    this.integer(names.length);
    for (let i = 0; i < names.length; i++) {
      const name = names[i] as string;
      this.text(name, "the name of a column").value(values[i], name);
    }
    return this;
  }

  /** Writes rows, as many as there are. */
  rows(rows: unknown): this {
    if (!Array.isArray(rows)) throw usageError(`the rows must be a list, not ${described(rows)}`);
    this.integer(rows.length);
    for (let i = 0; i < rows.length; i++) {
      this.#within = `row ${i}, `;
      this.row(rows[i]);
    }
    this.#within = "";
    return this;
  }

  /** Writes parameters: a list of values, or an object of names. They end the arguments. */
  params(params: Params | undefined): this {
    if (params === undefined) return this;
    if (Array.isArray(params)) {
      this.boolean(false);
      for (let i = 0; i < params.length; i++) this.value(params[i], i + 1);
      return this;
    }
    if (typeof params !== "object" || params === null || !isPlain(params)) {
      const hint = ", so for a single one [value]";
      throw usageError(`parameters are a list, or an object of names${hint}; not ${described(params)}`);
    }
    this.boolean(true);
    for (const name of Object.keys(params)) {
      const value = (params as Record<string, unknown>)[name];
      this.text(name, "the name of a parameter").value(value, `:${name.replace(/^[:@$]/, "")}`);
    }
    return this;
  }

  /** Writes a value of SQL. */
  value(value: unknown, place: Place): this {
    switch (typeof value) {
      case "string":
        try {
          return this.#plain(value);
        } catch (cause) {
          throw usageError(`${this.#named(place)}: ${(cause as Error).message}`, { cause });
        }
      case "number":
        // SQLite would keep it as NULL.
        if (Number.isNaN(value)) return this.#refuse(place, "is NaN, which SQLite does not have; pass null");
        return this.#plain(value);
      case "boolean":
        return this.#plain(value);
      case "bigint":
        if (BigInt.asIntN(64, value) !== value)
          return this.#refuse(place, `is ${value}n, which does not fit in 64 bits; pass it as text`);
        this.#bytes.taggedBigint(Tag.integer, value);
        this.#count += 1;
        return this;
      case "undefined":
        return this.#refuse(place, "is undefined; pass null for NULL");
      case "object":
        return value === null ? this.nil() : this.#object(value, place);
      default:
        return this.#refuse(place, refusal(value));
    }
  }

  #object(value: object, place: Place): this {
    if (Array.isArray(value) || isPlain(value)) {
      const refuse = (path: string, why: string) => this.#refuse(place, `${path === "" ? "" : `at ${path} `}${why}`);
      return this.value(checkedJson(value, refuse), place);
    }
    const bytes = bytesOf(value);
    if (bytes === undefined) return this.#refuse(place, refusal(value));
    // A blob is a table of one string.
    this.#bytes.u8(Tag.table);
    this.#bytes.u32(1);
    this.#bytes.u32(0);
    this.#bytes.taggedBytes(Tag.string, bytes);
    this.#count += 1;
    return this;
  }

  #plain(value: unknown): this {
    this.#bytes.plain(value);
    this.#count += 1;
    return this;
  }

  #named(place: Place): string {
    if (typeof place === "number") return `parameter ${place}`;
    if (place.startsWith(":")) return `parameter ${place}`;
    return place.startsWith("the key") ? place : `${this.#within}column "${place}"`;
  }

  #refuse(place: Place, why: string): never {
    throw usageError(`${this.#named(place)} ${why}`);
  }
}

/** Returns bytes in any of their forms as a Uint8Array over the same; undefined for anything else. */
export function bytesOf(value: unknown): Uint8Array | undefined {
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return isArrayBuffer(value) ? new Uint8Array(value) : undefined;
}

/** Says what a value is, for messages: `a Promise`, `null`, `"text"`. */
export function described(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return isPlain(value) ? "an object" : `a ${className(value)}`;
  return `a ${typeof value}`;
}

/** Reason for which a value has no place in SQLite, with what to do instead. */
function refusal(value: unknown): string {
  if (typeof value === "function") return "is a function; pass what it returns";
  if (typeof value === "symbol") return "is a symbol; pass its description";
  if (typeof value !== "object" || value === null) return `is ${described(value)}`;
  if (isPromise(value)) return "is a Promise; await it first";
  if (isDate(value)) return "is a Date; pass date.getTime(), or date.toISOString() as text";
  if (isMap(value)) return "is a Map; pass Object.fromEntries(map)";
  return `is a ${className(value)}; pass a plain object, a list, or a value of SQL`;
}

/** Makes the JSON of a plain object or a list in which nothing gets lost. */
function checkedJson(value: object, refuse: (path: string, why: string) => never): string {
  const open = new Set<object>();
  const check = (part: unknown, path: string): void => {
    switch (typeof part) {
      case "string":
      case "boolean":
        return;
      case "number":
        if (!Number.isFinite(part)) refuse(path, `is ${part}, which JSON does not have; pass null`);
        return;
      case "bigint":
        return refuse(path, "is a bigint, which JSON does not have; pass a number, or text");
      case "object":
        if (part === null) return;
        break;
      default:
        return refuse(path, part === undefined ? "is undefined; pass null" : refusal(part));
    }
    const isList = Array.isArray(part);
    if (!isList && !isPlain(part)) {
      const isBytes = bytesOf(part) !== undefined;
      refuse(path, isBytes ? `is a ${className(part)}, which JSON does not have; pass base64` : refusal(part));
    }
    if (open.has(part)) refuse(path, "refers to an object that it is in");
    if (open.size === JSON_DEPTH_MAX) refuse("", `is nested more than ${JSON_DEPTH_MAX} deep`);
    open.add(part);
    if (isList) part.forEach((item, index) => check(item, `${path}[${index}]`));
    else {
      for (const [name, item] of Object.entries(part)) {
        // As in a row: a property that is not given.
        if (item !== undefined)
          check(item, `${path}${/^[a-z_$][\w$]*$/i.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`}`);
      }
    }
    open.delete(part);
  };
  check(value, "");
  return JSON.stringify(value);
}

/** Reader of the results of one operation after the other. Each method reads what comes next. */
export class ResultReader {
  #bytes: Uint8Array = new Uint8Array(0);
  #view!: DataView;
  #at = 0;
  #end = 0;

  /** Begins a list that takes all the bytes from `start` to `end`. */
  begin({ bytes, view }: Views, start: number, end: number): this {
    this.#bytes = bytes;
    this.#view = view;
    // The number of values is known by what they are.
    this.#at = start + 4;
    this.#end = end;
    return this;
  }

  /** True if nothing is left. */
  get isAtEnd(): boolean {
    return this.#at >= this.#end;
  }

  boolean(): boolean {
    if (this.#tag() !== Tag.boolean) throw malformed("a boolean");
    return this.#bytes[this.#take(1)] === 1;
  }

  /** Reads an integer that is a count, a number or a time. */
  integer(): number {
    if (this.#tag() !== Tag.integer) throw malformed("an integer");
    return Number(readInteger(this.#view, this.#take(8)));
  }

  /** Reads an integer; undefined for nil. */
  optionalInteger(): number | undefined {
    return this.#skipNil() ? undefined : this.integer();
  }

  /** Reads a text that is a name, or for people. */
  text(): string {
    if (this.#tag() !== Tag.string) throw malformed("a text");
    const length = this.#length();
    const start = this.#take(length);
    return readText(decodeName(this.#bytes, this.#view, start, length)) as string;
  }

  /** Reads a text; undefined for nil. */
  optionalText(): string | undefined {
    return this.#skipNil() ? undefined : this.text();
  }

  /** Reads bytes. */
  bytes(): Uint8Array<ArrayBuffer> {
    if (this.#tag() !== Tag.string) throw malformed("bytes");
    const length = this.#length();
    const start = this.#take(length);
    return this.#bytes.slice(start, start + length) as Uint8Array<ArrayBuffer>;
  }

  /** Reads as many texts as the count before them says. */
  texts(): string[] {
    return Array.from({ length: this.integer() }, () => this.text());
  }

  /** Reads a value of SQL. */
  value(): SqlValue {
    const at = this.#at;
    const tag = this.#bytes[at];
    if (this.#end - at >= NUMBER_BYTES) {
      if (tag === Tag.integer) {
        this.#at = at + NUMBER_BYTES;
        return readInteger(this.#view, at + 1);
      }
      if (tag === Tag.float) {
        this.#at = at + NUMBER_BYTES;
        return this.#view.getFloat64(at + 1, true);
      }
    }
    this.#tag();
    if (tag === Tag.string) {
      const length = this.#length();
      return decodeString(this.#bytes, this.#take(length), length) as SqlValue;
    }
    if (tag === Tag.nil) return null;
    if (tag !== Tag.table) throw malformed("a value of SQL");
    this.#take(8);
    return this.bytes();
  }

  /** Reads a key: a value, or a list of them where the key has several columns. */
  key(): SqlValue | SqlValue[] {
    const values = this.keyValues();
    return values.length === 1 ? (values[0] as SqlValue) : values;
  }

  /** Reads the values of a key. */
  keyValues(): SqlValue[] {
    return Array.from({ length: this.integer() }, () => this.value());
  }

  /** Reads the rows of a query. */
  rows(): Row[] {
    const columns = this.texts();
    const rows = new Array<Row>(this.integer());
    const read = this.rowReader(columns);
    for (let i = 0; i < rows.length; i++) rows[i] = read();
    return rows;
  }

  /** Makes a reader of one row after the other, with these columns. */
  rowReader(columns: readonly string[]): () => Row {
    const usual = !columns.includes("__proto__");
    return () => {
      const row: Row = {};
      for (let i = 0; i < columns.length; i++) {
        const name = columns[i] as string;
        if (usual) row[name] = this.value();
        else setColumn(row, name, this.value());
      }
      return row;
    };
  }

  /** Reads an image of a row; undefined for nil. */
  image(): Row | undefined {
    if (this.#skipNil()) return undefined;
    const row: Row = {};
    for (let left = this.integer(); left > 0; left--) setColumn(row, this.text(), this.value());
    return row;
  }

  #tag(): number {
    return this.#bytes[this.#take(1)] as number;
  }

  #skipNil(): boolean {
    if (this.#bytes[this.#at] !== Tag.nil || this.isAtEnd) return false;
    this.#at += 1;
    return true;
  }

  #length(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  #take(length: number): number {
    const at = this.#at;
    if (length > this.#end - at) throw malformed("more");
    this.#at = at + length;
    return at;
  }
}

/** Sets a column, whatever its name is. */
function setColumn(row: Row, name: string, value: SqlValue): void {
  if (name !== "__proto__") row[name] = value;
  else Object.defineProperty(row, name, { value, enumerable: true, writable: true, configurable: true });
}

function malformed(wanted: string): CapsuleError {
  return new CapsuleError("bug", `a reply of the module is malformed: ${wanted} is expected`);
}
