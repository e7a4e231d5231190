/**
 * All external tables as JSON, for people and other programs: `lua.dump({ format: "json" })`, and back.
 *
 * `{ "perilune": 1, "tables": [{ "name": "t", "entries": [[key, value], ...] }, ...] }`. Nothing is lost: a
 * value that JSON does not have is an object with one of the `$` names below.
 *
 * | Lua                             | JSON                                                                |
 * |---------------------------------|---------------------------------------------------------------------|
 * | boolean; integer up to 2^53 - 1 | itself                                                              |
 * | other integer                   | `{ "$integer": "9223372036854775807" }`                             |
 * | float with a fraction           | itself                                                              |
 * | other float                     | `{ "$float": "1" }`, `"-0"`, `"Infinity"`; NaN: its bits, `"0x..."` |
 * | string of UTF-8                 | itself                                                              |
 * | other string                    | `{ "$bytes": base64 }`                                              |
 * | list; table of UTF-8 keys       | array; object (not with a key like `"7"`, or `"$..."`)              |
 * | other table, or one referred to | `{ "$table": [1..n], "$pairs": [[k, v], ...], "$id": n }`           |
 * | empty list that is referred to  | `{ "$table": [], "$id": n }`                                        |
 * | the same table again            | `{ "$ref": number }`                                                |
 * | external table                  | `{ "$external": name }`                                             |
 */
import type { TableStore } from "#js/storage/table_store.js";
import { isErrorOf, isUint8Array } from "../brands.js";
import { ByteWriter } from "../codec/bytes.js";
import { LuaStorageError, storageError } from "../errors.js";
import { encodeKey } from "../codec/keys.js";
import { Tag, VALUE_DEPTH_MAX } from "../codec/tags.js";
import { binaryToText, bytesToBinary, decodeString, fromBinary, toBinary } from "../codec/utf8.js";

const FORMAT = 1;
const TABLE_WORDS = ["$table", "$pairs", "$id"];

/** One table of a dump: its name, and its entries, as binary strings. */
export type DumpedTable = [name: string, entries: (readonly [key: string, value: string])[]];

/** Dumps everything in the store, as JSON. */
export function dumpJson(store: TableStore): string {
  try {
    return jsonOfStore(store);
  } catch (error) {
    throw storageError(error);
  }
}

function jsonOfStore(store: TableStore): string {
  const tables = store.names().map((name) => {
    const table = store.open(name);
    const entries: string[] = [];
    for (let entry = table.next(0); entry !== undefined; entry = table.next(entry.seq)) {
      entries.push(`      [${jsonOf(entry.key)}, ${jsonOf(entry.value)}]`);
    }
    const list = entries.length === 0 ? "[]" : `[\n${entries.join(",\n")}\n    ]`;
    return `  {\n    "name": ${JSON.stringify(binaryToText(name))},\n    "entries": ${list}\n  }`;
  });
  return `{"perilune": ${FORMAT}, "tables": [\n${tables.join(",\n")}\n]}\n`;
}

/** Reads the tables of such a text. Throws a `LuaStorageError` when it is none. */
export function readJson(text: string): DumpedTable[] {
  let dump: { perilune?: unknown; tables?: unknown } | null;
  try {
    dump = JSON.parse(text) as typeof dump;
  } catch (cause) {
    throw new LuaStorageError("corrupt", `the dump is no JSON: ${(cause as Error).message}`, { cause });
  }
  if (typeof dump?.perilune !== "number") throw new LuaStorageError("foreign", "this JSON is not a dump of Perilune");
  if (dump.perilune > FORMAT) throw new LuaStorageError("newer", "the dump was made by a newer version of Perilune");
  if (dump.perilune !== FORMAT) throw damaged(`format ${dump.perilune}`);
  try {
    return list(dump.tables, "tables").map(dumpedTable);
  } catch (error) {
    // Text that is no text, a key that is no key.
    throw isErrorOf(error, "TypeError") ? damaged(error.message) : error;
  }
}

function dumpedTable(table: unknown): DumpedTable {
  const { name, entries } = (table ?? {}) as { name?: unknown; entries?: unknown };
  if (typeof name !== "string") throw damaged("a table without a name");
  const pairs = list(entries, "entries").map((entry): [string, string] => {
    const [key, value] = pairOf(entry);
    return [keyOf(key), encoded(value)];
  });
  return [toBinary(name), pairs];
}

/** Turns a value from bytes into JSON. */
function jsonOf(binary: string): string {
  const bytes = fromBinary(binary);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const shared = sharedTables(bytes, view);
  let at = 0;
  let tables = 0;

  const bytesHere = () => {
    const length = view.getUint32(at, true);
    at += 4 + length;
    return bytes.subarray(at - length, at);
  };

  const value = (): string => {
    switch (bytes[at++]) {
      case Tag.boolean:
        return String(bytes[at++] === 1);
      case Tag.integer: {
        at += 8;
        const integer = view.getBigInt64(at - 8, true);
        return Number.isSafeInteger(Number(integer)) ? String(integer) : `{"$integer": "${integer}"}`;
      }
      case Tag.float: {
        at += 8;
        return jsonOfFloat(view.getFloat64(at - 8, true), view.getBigUint64(at - 8, true));
      }
      case Tag.string: {
        const content = bytesHere();
        const text = decodeString(content, 0, content.length);
        return typeof text === "string"
          ? JSON.stringify(text)
          : `{"$bytes": "${btoa(bytesToBinary(text, 0, text.length))}"}`;
      }
      case Tag.table:
        return table();
      case Tag.emptyList: {
        const id = tables++;
        return shared.has(id) ? `{"$table": [], "$id": ${id}}` : "[]";
      }
      case Tag.back:
        at += 4;
        return `{"$ref": ${view.getUint32(at - 4, true)}}`;
      case Tag.external: {
        const name = bytesHere();
        return `{"$external": ${JSON.stringify(binaryToText(bytesToBinary(name, 0, name.length)))}}`;
      }
      default:
        throw damaged("a value that no table can hold");
    }
  };

  const table = (): string => {
    const id = tables++;
    const [count, pairs] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
    at += 8;
    const values = Array.from({ length: count }, value);
    const entries = Array.from({ length: pairs }, () => [value(), value()] as const);
    if (!shared.has(id)) {
      if (entries.length === 0 && values.length > 0) return `[${values.join(", ")}]`;
      if (values.length === 0 && isObject(entries.map(([key]) => key)))
        return `{${entries.map(([key, of]) => `${key}: ${of}`).join(", ")}}`;
    }
    const all = `"$table": [${values.join(", ")}], "$pairs": [${entries.map((pair) => `[${pair.join(", ")}]`).join(", ")}]`;
    return shared.has(id) ? `{${all}, "$id": ${id}}` : `{${all}}`;
  };

  return value();
}

/**
 * Says whether these keys (as JSON) are read again as they are: each once, and none like `"7"`, which an
 * object of JavaScript puts before the others.
 */
function isObject(keys: readonly string[]): boolean {
  return keys.every((key) => key.startsWith('"') && !/^"(\$|\d+"$)/.test(key)) && new Set(keys).size === keys.length;
}

/** Returns the numbers of the tables that are referred to again. */
function sharedTables(bytes: Uint8Array, view: DataView): Set<number> {
  const shared = new Set<number>();
  for (let at = 0; at < bytes.length;) {
    switch (bytes[at++]) {
      case Tag.boolean:
        at += 1;
        break;
      case Tag.integer:
      case Tag.float:
      case Tag.table:
        at += 8;
        break;
      case Tag.emptyList:
        break;
      case Tag.back:
        shared.add(view.getUint32(at, true));
        at += 4;
        break;
      default:
        at += 4 + view.getUint32(at, true);
    }
  }
  return shared;
}

function jsonOfFloat(float: number, bits: bigint): string {
  if (Number.isNaN(float)) return `{"$float": "0x${bits.toString(16).padStart(16, "0")}"}`;
  if (Number.isFinite(float) && !Number.isInteger(float)) return String(float);
  return `{"$float": "${Object.is(float, -0) ? "-0" : float}"}`;
}

/** Turns a value from JSON into bytes. */
function encoded(json: unknown): string {
  const writer = new ByteWriter();
  const numbers = new Map<unknown, number>();
  let tables = 0;

  const value = (of: unknown, depth: number): void => {
    if (typeof of === "number") return void writer.plain(exact(of));
    if (typeof of === "string" || typeof of === "boolean") return void writer.plain(of);
    if (of === null) throw damaged("null");
    if (Array.isArray(of)) return table(of, undefined, undefined, depth + 1);
    const object = of as Record<string, unknown>;
    const words = Object.keys(object);
    if (!words.some((word) => word.startsWith("$"))) return table([], Object.entries(object), undefined, depth + 1);
    if (words.every((word) => TABLE_WORDS.includes(word))) {
      const { $table, $pairs, $id } = object;
      const values = list($table, "$table");
      const isEmptyList = $pairs === undefined && $id !== undefined && values.length === 0;
      return table(values, isEmptyList ? undefined : list($pairs, "$pairs"), $id, depth + 1);
    }
    const word = words[0] as string;
    if (words.length > 1) throw damaged(`${word} with ${words[1]}`);
    return worded(word, object[word]);
  };

  const worded = (word: string, content: unknown): void => {
    if (word === "$ref") {
      const found = numbers.get(content);
      if (found === undefined) throw damaged("a $ref to nothing");
      writer.u8(Tag.back);
      writer.u32(found);
    } else if (word === "$external" && typeof content === "string") {
      writer.taggedBytes(Tag.external, fromBinary(toBinary(content)));
    } else {
      scalar(word, content);
    }
  };

  const scalar = (word: string, content: unknown): void => {
    const of = special(word, content);
    if (typeof of === "bigint") return writer.taggedBigint(Tag.integer, of);
    if (isUint8Array(of)) return writer.taggedBytes(Tag.string, of);
    const bits = new DataView(new ArrayBuffer(8));
    if (typeof of === "string") bits.setBigUint64(0, BigInt(of), true);
    else bits.setFloat64(0, of, true);
    writer.u8(Tag.float);
    writer.u32(bits.getUint32(0, true));
    writer.u32(bits.getUint32(4, true));
  };

  /** Writes a table; a list, where there are no `pairs`. */
  const table = (values: unknown[], pairs: unknown[] | undefined, id: unknown, depth: number): void => {
    if (depth > VALUE_DEPTH_MAX) throw damaged(`a value of more than ${VALUE_DEPTH_MAX} tables in one another`);
    if (id !== undefined) {
      if (typeof id !== "number" || numbers.has(id)) throw damaged("a $id that is none, or another's");
      numbers.set(id, tables);
    }
    tables += 1;
    if (pairs === undefined && values.length === 0) return writer.u8(Tag.emptyList);
    writer.u8(Tag.table);
    writer.u32(values.length);
    writer.u32(pairs?.length ?? 0);
    for (const of of values) value(of, depth);
    for (const pair of pairs ?? []) for (const of of pairOf(pair)) value(of, depth);
  };

  value(json, 0);
  return bytesToBinary(writer.bytes, 0, writer.length);
}

/** Reads a value that JSON has no word for; of a NaN its bits, as text. */
function special(word: string, text: unknown): bigint | Uint8Array | number | string {
  if (typeof text !== "string") throw damaged(`${word} without a text`);
  if (word === "$integer" && /^-?\d{1,19}$/.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text)) {
    return BigInt(text);
  }
  if (word === "$float" && /^0x[0-9a-f]{16}$/.test(text)) return text;
  if (word === "$float" && /^-?(Infinity|\d+(\.\d+)?(e[+-]?\d+)?)$/.test(text)) return Number(text);
  if (word === "$bytes") {
    try {
      return fromBinary(atob(text));
    } catch {
      // Said below.
    }
  }
  throw damaged(`${word} with "${text.slice(0, 40)}"`);
}

function keyOf(json: unknown): string {
  if (typeof json === "number") return encodeKey(exact(json));
  if (typeof json !== "object" || json === null) return encodeKey(json);
  const [[word, content] = ["", undefined], more] = Object.entries(json);
  const key = special(word, content);
  if (more !== undefined || typeof key === "string") throw damaged("a key that is none");
  return encodeKey(key);
}

/** Returns a number that the text has as it was written there; refuses others. */
function exact(number: number): number {
  if (Number.isSafeInteger(number) || (Number.isFinite(number) && !Number.isInteger(number))) return number;
  throw damaged(`a number that JSON cannot hold (${number})`);
}

function pairOf(json: unknown): [unknown, unknown] {
  const pair = list(json, "a pair");
  if (pair.length !== 2) throw damaged(`a pair of ${pair.length}`);
  return pair as [unknown, unknown];
}

function list(json: unknown, what: string): unknown[] {
  if (Array.isArray(json)) return json;
  throw damaged(`${what} is no list`);
}

function damaged(what: string): LuaStorageError {
  return new LuaStorageError("corrupt", `the dump is damaged: ${what}`);
}
