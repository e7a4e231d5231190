/**
 * Encoding of external tables as records, bytes under a key, which is what storage keeps (docs/storage.md,
 * section 5).
 *
 * | key                          | record                                                                |
 * |------------------------------|-----------------------------------------------------------------------|
 * | `t` table                    | last place given out, number of entries, their bytes (f64), the name  |
 * | `p` table `:` page           | up to 64 entries, those of the places 64 * page + 1 to 64 * page + 64 |
 * | `v` table `:` place `:` part | 1 MiB of an overflow entry: its key, then its value                   |
 * | `x` participant `:` name     | bytes of another participant of the commits (participants.js)         |
 *
 * The names of a participant and of its records have 1 to 24 of the characters a-z and 0-9.
 *
 * An entry in a page: the place within it (a byte), the lengths of key and value (LEB128), key and value. An
 * overflow entry, one of more than 1,000 bytes, has a byte 0 before the lengths (no key has length 0) and
 * nothing behind them: key and value are in its parts. Each record ends with a CRC-32 (little endian) over
 * its key and all bytes before, so that a record that was damaged, or put under another key, is found.
 */

import { binaryToBytes, bytesToBinary } from "../binary.js";
import { crc32 } from "./crc32.js";
import { storeError } from "./store_error.js";

/** Number of entries in a page: so many are written when one of them changes. */
export const PAGE_ENTRIES = 64;
/**
 * Bytes of key and value together: a larger entry is an overflow entry, which is not written again with its
 * neighbours. So a page stays below 64 KiB, from where on Chromium keeps a file of its own for each record.
 */
export const INLINE_BYTES_MAX = 1000;
/** Bytes of a part of an overflow entry; the last may have fewer. */
export const PART_BYTES = 2 ** 20;
/** Bytes of the largest entry, key and value together. */
export const ENTRY_BYTES_MAX = 64 * 2 ** 20 + 1024;

/** Bytes of the checksum at the end of each record. */
export const CRC_BYTES = 4;
/** Bytes of the place, the lengths and the mark of an overflow entry. */
const ENTRY_HEAD_BYTES_MAX = 12;
const TABLE_HEAD_BYTES = 24;

const page = new Uint8Array(PAGE_ENTRIES * (ENTRY_HEAD_BYTES_MAX + INLINE_BYTES_MAX) + CRC_BYTES);

/** @typedef {[key: string, bytes: Uint8Array | null]} RecordChange null: the record is gone */
/** @typedef {{ seq: number, count: number, bytes: number, name: string }} TableHead */
/** @typedef {{ readonly key: string, readonly value: string }} KeyValue binary strings */

/** @typedef {{ kind: "t", table: number }
 *   | { kind: "p", table: number, page: number }
 *   | { kind: "v", table: number, seq: number, part: number }
 *   | { kind: "x", participant: string, name: string }} RecordKey */

// No name has a colon: so no two participants have a key in common, also where one's name begins with the
// other's.
const PARTICIPANT_KEY = /^x([a-z0-9]{1,24}):([a-z0-9]{1,24})$/;

/** Key of a table's record. @param {number} table */
export const tableKey = (table) => `t${table}`;
/** Key of a page. @param {number} table @param {number} number */
export const pageKey = (table, number) => `p${table}:${number}`;
/** Key of a part of an overflow entry. @param {number} table @param {number} seq @param {number} part */
export const partKey = (table, seq, part) => `v${table}:${seq}:${part}`;
/** Key of a record of a participant. @param {string} participant @param {string} name */
export const participantKey = (participant, name) => `x${participant}:${name}`;
/** Says whether this is the key of a record of a participant. @param {string} key */
export const isParticipantKey = (key) => PARTICIPANT_KEY.test(key);

/**
 * Parses the key of a record; undefined when Perilune writes no such key.
 * @param {string} key
 * @returns {RecordKey | undefined}
 */
export function parseKey(key) {
  const [, participant, name] = PARTICIPANT_KEY.exec(key) ?? [];
  if (participant !== undefined && name !== undefined) return { kind: "x", participant, name };
  const numbers = key.slice(1).split(":").map(Number);
  const [table = 0, second = 0, third = 0] = numbers;
  /** @type {RecordKey} */
  const parsed =
    key[0] === "t"
      ? { kind: "t", table }
      : key[0] === "p"
        ? { kind: "p", table, page: second }
        : { kind: "v", table, seq: second, part: third };
  // Written again, it is the same: nothing was left over, and no number was written in another way.
  const again =
    parsed.kind === "t"
      ? tableKey(table)
      : parsed.kind === "p"
        ? pageKey(table, second)
        : partKey(table, second, third);
  return again === key && numbers.every((n) => Number.isSafeInteger(n) && n >= 0) ? parsed : undefined;
}

/** Encodes the record of a table. @param {string} key @param {TableHead} head */
export function encodeTable(key, { seq, count, bytes, name }) {
  const record = new Uint8Array(TABLE_HEAD_BYTES + name.length + CRC_BYTES);
  const view = new DataView(record.buffer);
  view.setFloat64(0, seq, true);
  view.setFloat64(8, count, true);
  view.setFloat64(16, bytes, true);
  writeBinary(name, 0, name.length, record, TABLE_HEAD_BYTES);
  return seal(key, record);
}

/**
 * Decodes the record of a table; throws `corrupt`.
 * @param {string} key
 * @param {Uint8Array} record
 * @returns {TableHead}
 */
export function decodeTable(key, record) {
  if (record.length <= TABLE_HEAD_BYTES + CRC_BYTES) throw corrupt(key);
  const view = new DataView(record.buffer, record.byteOffset);
  const [seq, count, bytes] = [0, 8, 16].map((at) => view.getFloat64(at, true));
  const name = bytesToBinary(record, TABLE_HEAD_BYTES, record.length - TABLE_HEAD_BYTES - CRC_BYTES);
  const head = { seq: Number(seq), count: Number(count), bytes: Number(bytes), name };
  for (const n of [head.seq, head.count, head.bytes]) if (!Number.isSafeInteger(n) || n < 0) throw corrupt(key);
  return head;
}

/**
 * Says whether an entry is an overflow entry.
 * @param {KeyValue} entry
 */
export function isOverflow({ key, value }) {
  return key.length + value.length > INLINE_BYTES_MAX;
}

/**
 * Encodes a page.
 * @param {string} key of the record
 * @param {readonly (KeyValue | undefined)[]} slots
 */
export function encodePage(key, slots) {
  let at = 0;
  for (let slot = 0; slot < slots.length; slot++) {
    const entry = slots[slot];
    if (entry === undefined) continue;
    const overflow = isOverflow(entry);
    page[at++] = slot;
    if (overflow) page[at++] = 0;
    at = writeLength(page, at, entry.key.length);
    at = writeLength(page, at, entry.value.length);
    if (overflow) continue;
    binaryToBytes(entry.key, page, at);
    binaryToBytes(entry.value, page, at + entry.key.length);
    at += entry.key.length + entry.value.length;
  }
  return seal(key, page.slice(0, at + CRC_BYTES));
}

/**
 * Visits the entries of a page; throws `corrupt` when it is damaged. Key and value of an overflow entry are
 * undefined.
 * @param {string} key of the record
 * @param {Uint8Array} record
 * @param {(slot: number, key: string | undefined, value: string | undefined, keyLength: number, valueLength:
 *   number) => void} visit
 */
export function decodePage(key, record, visit) {
  const end = record.length - CRC_BYTES;
  let last = -1;
  let at = 0;
  const length = () => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = record[at++];
      if (byte === undefined || at > end || factor > 128 ** 4) throw corrupt(key);
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  while (at < end) {
    const slot = /** @type {number} */ (record[at++]);
    if (slot <= last || slot >= PAGE_ENTRIES) throw corrupt(key);
    last = slot;
    const first = length();
    const overflow = first === 0;
    const keyLength = overflow ? length() : first;
    const valueLength = length();
    if (keyLength === 0 || valueLength === 0 || keyLength + valueLength > ENTRY_BYTES_MAX) throw corrupt(key);
    if (overflow) {
      visit(slot, undefined, undefined, keyLength, valueLength);
      continue;
    }
    const from = at;
    at += keyLength + valueLength;
    if (at > end) throw corrupt(key);
    const value = bytesToBinary(record, from + keyLength, valueLength);
    visit(slot, bytesToBinary(record, from, keyLength), value, keyLength, valueLength);
  }
}

/**
 * Number of parts of an overflow entry.
 * @param {number} bytes of its key and value
 */
export function partCount(bytes) {
  return Math.ceil(bytes / PART_BYTES);
}

/**
 * Yields the parts of an overflow entry, each made when it is asked for.
 * @param {number} table
 * @param {number} seq
 * @param {KeyValue} entry
 * @returns {Generator<[key: string, bytes: Uint8Array]>}
 */
export function* encodeParts(table, seq, { key, value }) {
  const total = key.length + value.length;
  for (let part = 0; part < partCount(total); part++) {
    const start = part * PART_BYTES;
    const end = Math.min(start + PART_BYTES, total);
    const record = new Uint8Array(end - start + CRC_BYTES);
    const inKey = Math.min(end, key.length) - start;
    if (inKey > 0) writeBinary(key, start, start + inKey, record, 0);
    const from = Math.max(start, key.length);
    if (from < end) writeBinary(value, from - key.length, end - key.length, record, from - start);
    const name = partKey(table, seq, part);
    yield [name, seal(name, record)];
  }
}

/**
 * Joins the parts of an overflow entry; throws `corrupt` when they are not what its page says.
 * @param {string} key of the page, for the error
 * @param {readonly (Uint8Array | undefined)[]} parts
 * @param {number} keyLength
 * @param {number} valueLength
 * @returns {KeyValue}
 */
export function decodeParts(key, parts, keyLength, valueLength) {
  const total = keyLength + valueLength;
  let all = "";
  for (let part = 0; part < partCount(total); part++) {
    const record = parts[part];
    const length = Math.min(PART_BYTES, total - part * PART_BYTES);
    if (record?.length !== length + CRC_BYTES) throw corrupt(key);
    all += bytesToBinary(record, 0, length);
  }
  return { key: all.slice(0, keyLength), value: all.slice(keyLength) };
}

/**
 * Encodes a record of a participant.
 * @param {string} participant
 * @param {string} name
 * @param {Uint8Array} bytes
 * @returns {[key: string, bytes: Uint8Array]}
 */
export function encodeParticipantRecord(participant, name, bytes) {
  const key = participantKey(participant, name);
  // A key that cannot be parsed again would keep the tables from being opened, too.
  if (!isParticipantKey(key)) throw new RangeError(`${JSON.stringify(name)} cannot be the name of a record`);
  const record = new Uint8Array(bytes.length + CRC_BYTES);
  record.set(bytes);
  return [key, seal(key, record)];
}

/**
 * Decodes a record of a participant; undefined when it is damaged.
 * @param {string} key
 * @param {Uint8Array} record
 */
export function decodeParticipantRecord(key, record) {
  return isSound(key, record) ? record.subarray(0, record.length - CRC_BYTES) : undefined;
}

/**
 * Throws `corrupt` when a record is not as it was written, or was written under another key.
 * @param {string} key
 * @param {Uint8Array} record
 */
export function checkRecord(key, record) {
  if (!isSound(key, record)) throw corrupt(key);
}

/**
 * Says whether the checksum of a record is right.
 * @param {string} key
 * @param {Uint8Array} record
 */
function isSound(key, record) {
  const end = record.length - CRC_BYTES;
  if (end < 0) return false;
  const view = new DataView(record.buffer, record.byteOffset, record.length);
  return view.getUint32(end, true) === crc32(record.subarray(0, end), crcOfKey(key));
}

/**
 * Encodes the tables of a database of format 1, where each entry was a record of its own.
 * @param {Iterable<{ id: number, name: string, seq: number, entries: Iterable<KeyValue & { seq: number }> }>}
 *   tables entries in ascending order of `seq`
 * @returns {Generator<[key: string, bytes: Uint8Array]>}
 */
export function* recordsOfFormat1(tables) {
  for (const { id, name, seq, entries } of tables) {
    let count = 0;
    let bytes = 0;
    let last = seq;
    let number = -1;
    /** @type {(KeyValue | undefined)[]} */
    let slots = [];
    /** @returns {[string, Uint8Array]} */
    const made = () => [pageKey(id, number), encodePage(pageKey(id, number), slots)];
    for (const entry of entries) {
      const at = Math.floor((entry.seq - 1) / PAGE_ENTRIES);
      if (at !== number) {
        if (slots.length > 0) yield made();
        number = at;
        slots = [];
      }
      slots[entry.seq - 1 - at * PAGE_ENTRIES] = entry;
      if (isOverflow(entry)) yield* encodeParts(id, entry.seq, entry);
      count += 1;
      bytes += entry.key.length + entry.value.length;
      last = Math.max(last, entry.seq);
    }
    if (slots.length > 0) yield made();
    const key = tableKey(id);
    yield [key, encodeTable(key, { seq: last, count, bytes, name })];
  }
}

/**
 * Error that storage, or a dump, has something that Perilune does not write.
 * @param {string} key of the record
 */
export function corrupt(key) {
  return storeError("corrupt", `the stored data is damaged (record ${key})`);
}

/**
 * Writes the checksum of a record into its last four bytes.
 * @param {string} key
 * @param {Uint8Array} record
 */
function seal(key, record) {
  const end = record.length - CRC_BYTES;
  const crc = crc32(record.subarray(0, end), crcOfKey(key));
  for (let i = 0; i < CRC_BYTES; i++) record[end + i] = crc >>> (8 * i);
  return record;
}

const keyBytes = new Uint8Array(64);

/** @param {string} key */
function crcOfKey(key) {
  for (let i = 0; i < key.length; i++) keyBytes[i] = key.charCodeAt(i);
  return crc32(keyBytes.subarray(0, key.length));
}

/**
 * Writes a length as LEB128; the offset behind it.
 * @param {Uint8Array} bytes
 * @param {number} at
 * @param {number} length
 */
function writeLength(bytes, at, length) {
  for (; length > 127; length = Math.floor(length / 128)) bytes[at++] = (length % 128) | 128;
  bytes[at++] = length;
  return at;
}

/**
 * Writes a piece of a long binary string.
 * @param {string} binary
 * @param {number} start
 * @param {number} end
 * @param {Uint8Array} bytes
 * @param {number} at
 */
function writeBinary(binary, start, end, bytes, at) {
  for (let i = start; i < end; i++) bytes[at++] = binary.charCodeAt(i);
}
