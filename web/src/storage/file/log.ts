/**
 * Format of a log file. Reading and writing are in scan.ts and append.ts.
 *
 * All numbers are little endian. A file is a head of three sectors and then chunks, one after the other:
 *
 * | head | bytes | content                                        |
 * |------|-------|------------------------------------------------|
 * | 0    | 8     | "PERILUNE"                                     |
 * | 8    | 4     | format: 1                                      |
 * | 12   | 8     | salt: random, another one for every file       |
 * | 20   | 4     | CRC-32 of the bytes before                     |
 * | 512  | 12    | a mark                                         |
 * | 1024 | 12    | the other mark                                 |
 *
 * What is between is zero. The marks are written over again, one at a time, so one of them is always whole:
 *
 * | mark | bytes | content                                                                  |
 * |------|-------|--------------------------------------------------------------------------|
 * | 0    | 8     | synced: up to this offset the file is known to be on the disk            |
 * | 8    | 4     | CRC-32 of: the salt, the mark's offset in the file (8 bytes), bytes 0 to 7 |
 *
 * | chunk header | bytes | content                                                              |
 * |--------------|-------|----------------------------------------------------------------------|
 * | 0            | 4     | "PLck"                                                               |
 * | 4            | 4     | type: 1 data, 2 commit                                               |
 * | 8            | 4     | length of the payload                                                |
 * | 12           | 4     | CRC-32 of the payload                                                |
 * | 16           | 4     | CRC-32 of: the salt, the chunk's offset in the file (8 bytes), bytes 0 to 15 |
 *
 * The payload of a data chunk is records, one after the other; each is within one chunk:
 *
 * | record | bytes | content                                             |
 * |--------|-------|-----------------------------------------------------|
 * | 0      | 1     | length of the key                                   |
 * | 1      | k     | the key                                             |
 * | 1 + k  | 4     | length of the value; 0xffffffff: the record is gone |
 * | 5 + k  |       | the value                                           |
 *
 * A commit chunk closes the data chunks since the last one; without it they do not count. Its payload:
 *
 * | commit | bytes | content                                                                              |
 * |--------|-------|--------------------------------------------------------------------------------------|
 * | 0      | 8     | synced: up to this offset the file was known to be on the disk when this was written |
 * | 8      | 4     | chain: CRC-32 of bytes 0 to 15 of all chunk headers before, seeded with the head's   |
 *
 * Invariants:
 * - A chunk is one only at its own offset in its own file: neither a copy of a log kept as a value, nor what
 *   an older file left on the disk, can be taken for one.
 * - A commit is one only behind exactly the chunks that it was written behind.
 */
import { crc32 } from "#js/storage/crc32.js";
import { fileError } from "./errors.js";

export const FORMAT_VERSION = 1;
const SECTOR_BYTES = 512;
const MARK_OFFSETS = [SECTOR_BYTES, 2 * SECTOR_BYTES] as const;
const MARK_BYTES = 12;
/** Offset of the first chunk. */
export const HEAD_BYTES: number = 3 * SECTOR_BYTES;
const HEADER_BYTES = 24;
export const CHUNK_HEADER_BYTES = 20;
const COMMIT_PAYLOAD_BYTES = 12;
/** Bytes of a commit chunk, with its header. */
export const COMMIT_BYTES: number = CHUNK_HEADER_BYTES + COMMIT_PAYLOAD_BYTES;

/** Bytes of a data chunk, about. A longer record has a chunk of its own. */
export const DATA_CHUNK_BYTES: number = 1024 * 1024;

/** Bytes of a record beside its key and its value. */
export const RECORD_OVERHEAD_BYTES = 5;
/** Bytes of the longest value: its chunk must have a length, too. */
export const VALUE_BYTES_MAX = 0xffff_0000;
const KEY_BYTES_MAX = 64;
const REMOVED = 0xffff_ffff;

const MAGIC = asciiBytes("PERILUNE");
const SALT_BYTES = 8;
/** Bytes at the beginning of a file that no other has. */
export const IDENTITY_BYTES: number = 12 + SALT_BYTES;
export const CHUNK_MARK: Uint8Array = asciiBytes("PLck");

export const ChunkType = { data: 1, commit: 2 } as const;

/** Identity of a file, which its checksums are bound to. */
export interface FileId {
  salt: Uint8Array;
  /** Seed of the chain. */
  chain: number;
}

/** End of a commit. */
export interface Position {
  offset: number;
  chain: number;
}

export interface ChunkHeader {
  type: number;
  length: number;
  crc: number;
}

/** Makes the head of a new file, still without its marks. */
export function newHead(): { bytes: Uint8Array; id: FileId } {
  const bytes = new Uint8Array(HEAD_BYTES);
  const view = viewOf(bytes);
  bytes.set(MAGIC);
  view.setUint32(8, FORMAT_VERSION, true);
  const salt = crypto.getRandomValues(bytes.subarray(12, 12 + SALT_BYTES));
  const chain = crc32(bytes.subarray(0, 20));
  view.setUint32(20, chain, true);
  return { bytes, id: { salt: salt.slice(), chain } };
}

/**
 * Reads the head of a file, which may be cut off; throws `foreign`, `newer` or `corrupt`. A mark that cannot
 * be read is 0; one of them can.
 */
export function readHead(bytes: Uint8Array, path: string): { id: FileId; marks: [number, number] } {
  if (!MAGIC.every((byte, at) => bytes[at] === byte)) {
    throw fileError("foreign", `${path} is no file of Perilune`);
  }
  const view = viewOf(bytes);
  const whole = bytes.length >= HEADER_BYTES;
  const chain = whole ? crc32(bytes.subarray(0, 20)) : 0;
  const sound = whole && chain === view.getUint32(20, true);
  // A later version may have another head: the number counts, with or without a right checksum.
  if (bytes.length >= 12 && view.getUint32(8, true) > FORMAT_VERSION) {
    const doubt = sound ? "" : ", or is damaged";
    throw fileError(
      "newer",
      `${path} has format ${view.getUint32(8, true)}: it was written by a later version${doubt}`,
    );
  }
  const id = { salt: bytes.slice(12, 12 + SALT_BYTES), chain };
  const [first, second] = MARK_OFFSETS;
  const marks: [number, number] = [readMark(bytes, first, id), readMark(bytes, second, id)];
  if (!sound || view.getUint32(8, true) !== FORMAT_VERSION || Math.max(...marks) < HEAD_BYTES) {
    throw fileError("corrupt", `${path} is damaged: its head is not as it was written`);
  }
  return { id, marks };
}

/** Says whether bytes from the beginning of a file are those of this one. */
export function isHeadOf(bytes: Uint8Array, { salt }: FileId): boolean {
  return MAGIC.every((byte, at) => bytes[at] === byte) && salt.every((byte, at) => bytes[12 + at] === byte);
}

/** Makes one of the two marks, and its offset. */
export function mark(which: 0 | 1, synced: number, id: FileId): { bytes: Uint8Array; offset: number } {
  const bytes = new Uint8Array(MARK_BYTES);
  const offset = MARK_OFFSETS[which];
  viewOf(bytes).setBigUint64(0, BigInt(synced), true);
  viewOf(bytes).setUint32(8, boundCrc(bytes.subarray(0, 8), id, offset), true);
  return { bytes, offset };
}

function readMark(head: Uint8Array, offset: number, id: FileId): number {
  const bytes = head.subarray(offset, offset + MARK_BYTES);
  if (bytes.length < MARK_BYTES) return 0;
  if (viewOf(bytes).getUint32(8, true) !== boundCrc(bytes.subarray(0, 8), id, offset)) return 0;
  return Number(viewOf(bytes).getBigUint64(0, true));
}

export function startOf(id: FileId): Position {
  return { offset: HEAD_BYTES, chain: id.chain };
}

/**
 * Writes the header of the chunk that will be at `offset` in the file to `into`, at `at`. Returns the next
 * chain.
 */
export function putChunkHeader(
  into: Uint8Array,
  at: number,
  { type, length, crc }: ChunkHeader,
  id: FileId,
  { offset, chain }: Position,
): number {
  const bytes = into.subarray(at, at + CHUNK_HEADER_BYTES);
  const view = viewOf(bytes);
  bytes.set(CHUNK_MARK);
  view.setUint32(4, type, true);
  view.setUint32(8, length, true);
  view.setUint32(12, crc, true);
  view.setUint32(16, boundCrc(bytes.subarray(0, 16), id, offset), true);
  return chainAfter(bytes, 0, chain);
}

/** Reads the header at `at` of `bytes`, which is `offset` in the file; undefined when there is none. */
export function readChunkHeader(bytes: Uint8Array, at: number, id: FileId, offset: number): ChunkHeader | undefined {
  const header = bytes.subarray(at, at + CHUNK_HEADER_BYTES);
  if (header.length < CHUNK_HEADER_BYTES || header[0] !== CHUNK_MARK[0]) return undefined;
  const view = viewOf(header);
  if (view.getUint32(16, true) !== boundCrc(header.subarray(0, 16), id, offset)) return undefined;
  return { type: view.getUint32(4, true), length: view.getUint32(8, true), crc: view.getUint32(12, true) };
}

/**
 * Chain after the chunk whose header is at `at`. Without the checksum of the header: a CRC over bytes and
 * their CRC is the same for all bytes.
 */
export function chainAfter(bytes: Uint8Array, at: number, chain: number): number {
  return crc32(bytes.subarray(at, at + CHUNK_HEADER_BYTES - 4), chain);
}

/** Writes a commit chunk for `position` to `into`, at `at`. Returns the position behind it. */
export function putCommit(
  into: Uint8Array,
  at: number,
  synced: number,
  id: FileId,
  { offset, chain }: Position,
): Position {
  const payload = into.subarray(at + CHUNK_HEADER_BYTES, at + COMMIT_BYTES);
  const view = viewOf(payload);
  view.setBigUint64(0, BigInt(synced), true);
  view.setUint32(8, chain, true);
  const header = { type: ChunkType.commit, length: COMMIT_PAYLOAD_BYTES, crc: crc32(payload) };
  return { offset: offset + COMMIT_BYTES, chain: putChunkHeader(into, at, header, id, { offset, chain }) };
}

export function readCommit(payload: Uint8Array): { synced: number; chain: number } | undefined {
  if (payload.length !== COMMIT_PAYLOAD_BYTES) return undefined;
  const view = viewOf(payload);
  return { synced: Number(view.getBigUint64(0, true)), chain: view.getUint32(8, true) };
}

export function recordBytes(key: string, value: Uint8Array | null): number {
  return RECORD_OVERHEAD_BYTES + key.length + (value?.length ?? 0);
}

/** Throws for a record that the format cannot hold. */
export function checkRecord(key: string, value: Uint8Array | null): void {
  if (key.length > KEY_BYTES_MAX || !/^[\0-\x7f]*$/.test(key)) {
    throw new RangeError(`the key ${JSON.stringify(key)} is not ASCII of at most ${KEY_BYTES_MAX} characters`);
  }
  if (value !== null && value.length > VALUE_BYTES_MAX) throw new RangeError("a record is longer than 4 GiB");
}

/** Writes a record without its value. Returns the offset of the value. */
export function putRecordHead(into: Uint8Array, at: number, key: string, value: Uint8Array | null): number {
  into[at] = key.length;
  for (let i = 0; i < key.length; i += 1) into[at + 1 + i] = key.charCodeAt(i);
  const length = value === null ? REMOVED : value.length;
  const end = at + 1 + key.length;
  into[end] = length;
  into[end + 1] = length >>> 8;
  into[end + 2] = length >>> 16;
  into[end + 3] = length >>> 24;
  return end + 4;
}

export interface StoredRecord {
  key: string;
  /** View of the payload; null: removed. */
  value: Uint8Array | null;
  /** Offset in the payload, and length. */
  at: number;
  size: number;
}

/** Reads the records of a data chunk. */
export function* records(payload: Uint8Array): Generator<StoredRecord> {
  const view = viewOf(payload);
  for (let at = 0; at < payload.length;) {
    const keyEnd = at + 1 + view.getUint8(at);
    if (keyEnd + 4 > payload.length) throw malformed();
    const length = view.getUint32(keyEnd, true);
    const start = keyEnd + 4;
    const end = length === REMOVED ? start : start + length;
    if (end > payload.length) throw malformed();
    const key = String.fromCharCode(...payload.subarray(at + 1, keyEnd));
    yield { key, value: length === REMOVED ? null : payload.subarray(start, end), at, size: end - at };
    at = end;
  }
}

/** Error that a chunk with a right checksum is malformed: it was written by a wrong program. */
function malformed(): Error {
  return fileError("corrupt", "the file is damaged: a chunk does not hold whole records");
}

const seal = new Uint8Array(SALT_BYTES + 8);

/** Checksum that is right only at this offset of this file. */
function boundCrc(bytes: Uint8Array, { salt }: FileId, offset: number): number {
  seal.set(salt);
  viewOf(seal).setBigUint64(SALT_BYTES, BigInt(offset), true);
  return crc32(bytes, crc32(seal));
}

function viewOf({ buffer, byteOffset, length }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, length);
}

function asciiBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
