/**
 * All external tables in one piece: `lua.dump()` and `lua.load()`.
 *
 * | bytes    | what                                                                  |
 * |----------|-----------------------------------------------------------------------|
 * | 8        | `PERILUNE`                                                            |
 * | 4        | format of the dump, u32                                               |
 * | 4        | number of records, u32                                                |
 * | for each | length of the key (u8), length of the bytes (u32), the key, the bytes |
 * | 4        | CRC-32 of all before                                                  |
 *
 * Numbers are little endian; the records are those of storage (src/js/storage/records.js).
 */
import { Loader } from "#js/storage/loader.js";
import { crc32 } from "#js/storage/crc32.js";
import { TableStore } from "#js/storage/table_store.js";
import { bytesIn } from "../brands.js";
import { LuaStorageError, storageError } from "../errors.js";
import { readJson, type DumpedTable } from "./json_dump.js";
import { isStoredKey, isStoredValue, isTableName } from "./stored.js";
import { batched } from "../lua_table.js";

const MAGIC = "PERILUNE";
const FORMAT = 1;
const HEAD_BYTES = 16;
const CRC_BYTES = 4;
const RECORD_HEAD_BYTES = 5;

/** Dumps everything in the store. */
export function dumpTables(store: TableStore): Uint8Array<ArrayBuffer> {
  const records: [string, Uint8Array][] = [];
  let length = HEAD_BYTES + CRC_BYTES;
  try {
    for (const record of store.records()) {
      records.push(record);
      length += RECORD_HEAD_BYTES + record[0].length + record[1].length;
    }
  } catch (error) {
    throw storageError(error);
  }
  const dump = new Uint8Array(length);
  const view = new DataView(dump.buffer);
  const encoder = new TextEncoder();
  encoder.encodeInto(MAGIC, dump);
  view.setUint32(8, FORMAT, true);
  view.setUint32(12, records.length, true);
  let at = HEAD_BYTES;
  for (const [key, bytes] of records) {
    view.setUint8(at, key.length);
    view.setUint32(at + 1, bytes.length, true);
    encoder.encodeInto(key, dump.subarray(at + RECORD_HEAD_BYTES));
    dump.set(bytes, at + RECORD_HEAD_BYTES + key.length);
    at += RECORD_HEAD_BYTES + key.length + bytes.length;
  }
  view.setUint32(at, crc32(dump.subarray(0, at)), true);
  return dump;
}

/** Loads a dump into the store, in one batch. Everything is checked before anything is changed. */
export function loadTables(store: TableStore, given: Uint8Array | ArrayBuffer | string, keep: boolean): void {
  const dump = typeof given === "string" ? given : bytesIn(given);
  if (dump === undefined) {
    throw new TypeError("a dump is a Uint8Array, an ArrayBuffer or a string");
  }
  try {
    const tables = typeof dump === "string" ? readJson(dump) : readDump(dump);
    const names = new Set(tables.map(([name]) => name));
    if (names.size !== tables.length || !tables.every(isStorable)) throw damaged();
    batched(store, () =>
      store.transaction(() => {
        if (!keep) for (const name of store.names()) if (!names.has(name)) store.drop(name);
        for (const [name, entries] of tables) {
          const table = store.open(name);
          table.clear();
          for (const [key, value] of entries) table.set(key, value);
          // One key twice.
          if (table.count !== entries.length) throw damaged();
        }
      }),
    );
  } catch (error) {
    throw storageError(error);
  }
}

/** Loads a dump into a store that has nothing, and writes nowhere: down to the order in which loops are. */
export function restoreTables(store: TableStore, dump: Uint8Array): void {
  try {
    if (!readDump(dump).every(isStorable)) throw damaged();
    store.load(loaderOf(dump));
  } catch (error) {
    throw storageError(error);
  }
}

/** Says whether a table can be stored: a checksum shows damage, not who has made the dump. */
function isStorable([name, entries]: DumpedTable): boolean {
  return isTableName(name) && entries.every(([key, value]) => isStoredKey(key) && isStoredValue(value));
}

function readDump(dump: Uint8Array): DumpedTable[] {
  const read = new TableStore();
  read.load(loaderOf(dump));
  return read.names().map((name) => {
    const table = read.open(name);
    return [name, [...(table.entries ?? table.unpack()).values()].map(({ key, value }) => [key, value] as const)];
  });
}

function loaderOf(dump: Uint8Array): Loader {
  const view = new DataView(dump.buffer, dump.byteOffset, dump.length);
  const decoder = new TextDecoder("latin1");
  const end = dump.length - CRC_BYTES;
  if (end < HEAD_BYTES || decoder.decode(dump.subarray(0, MAGIC.length)) !== MAGIC) {
    throw new LuaStorageError("foreign", "these bytes are not a dump of Perilune");
  }
  const format = view.getUint32(8, true);
  if (format > FORMAT) throw new LuaStorageError("newer", "the dump was made by a newer version of Perilune");
  if (format < 1 || view.getUint32(end, true) !== crc32(dump.subarray(0, end))) throw damaged();
  const loader = new Loader(true);
  let at = HEAD_BYTES;
  for (let left = view.getUint32(12, true); left > 0; left--) {
    if (at + RECORD_HEAD_BYTES > end) throw damaged();
    const start = at + RECORD_HEAD_BYTES + view.getUint8(at);
    const next = start + view.getUint32(at + 1, true);
    if (next > end) throw damaged();
    loader.add(decoder.decode(dump.subarray(at + RECORD_HEAD_BYTES, start)), dump.slice(start, next));
    at = next;
  }
  if (at !== end) throw damaged();
  return loader;
}

function damaged(): LuaStorageError {
  return new LuaStorageError("corrupt", "the dump is damaged");
}
