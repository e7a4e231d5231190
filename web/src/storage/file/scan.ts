/** Reading of a log from front to back, up to its last good commit. */
import { crc32 } from "#js/storage/crc32.js";
import { damageError } from "./errors.js";
import type { OpenedFile } from "./files.js";
import {
  CHUNK_HEADER_BYTES,
  CHUNK_MARK,
  COMMIT_BYTES,
  ChunkType,
  DATA_CHUNK_BYTES,
  HEAD_BYTES,
  chainAfter,
  readChunkHeader,
  readCommit,
  type FileId,
  type Position,
} from "./log.js";
import { crc32InSlices } from "./turns.js";

/** Bytes that are read at once: more than a usual chunk. */
const WINDOW_BYTES = DATA_CHUNK_BYTES + 64 * 1024;

export interface Visitor {
  /**
   * Gets a data chunk whose checksums are right, `at` in the file; its bytes are good during the call. It
   * counts once a commit follows.
   */
  data(payload: Uint8Array, at: number): Promise<void> | void;
  commit?(end: Position): void;
}

export interface Scan {
  /** End of the last commit. */
  end: Position;
  /** Highest `synced` of the commits read. */
  synced: number;
  /**
   * Content behind `end`: nothing; a beginning of a commit, which may be one that is being written; or bytes
   * that no writer leaves there, unless the power fails.
   */
  rest: "nothing" | "unfinished" | "damaged";
}

/** Reads the chunks from the end of one commit up to `size`. */
export async function scan(
  file: OpenedFile,
  id: FileId,
  from: Position,
  size: number,
  visitor: Visitor,
  progress?: (done: number, total: number) => void,
): Promise<Scan> {
  const window = new FileWindow(file, size);
  const result: Scan = { end: from, synced: 0, rest: "nothing" };
  let { offset, chain } = from;
  let unfinished = false;
  const stop = (rest: Scan["rest"]): Scan => ({ ...result, rest });

  while (offset < size) {
    if (!window.has(offset, CHUNK_HEADER_BYTES)) {
      progress?.(offset, size);
      if (!(await window.read(offset, CHUNK_HEADER_BYTES))) return stop("unfinished");
    }
    const header = readChunkHeader(window.bytes, window.at(offset), id, offset);
    if (header === undefined) return stop("damaged");
    const end = offset + CHUNK_HEADER_BYTES + header.length;
    if (!window.has(offset, end - offset) && !(await window.read(offset, end - offset))) return stop("unfinished");

    const start = window.at(offset) + CHUNK_HEADER_BYTES;
    const payload = window.bytes.subarray(start, start + header.length);
    const sum = header.length > WINDOW_BYTES ? await crc32InSlices(payload) : crc32(payload);
    if (sum !== header.crc) return stop("damaged");
    if (header.type === ChunkType.data) {
      const work = visitor.data(payload, offset + CHUNK_HEADER_BYTES);
      if (work !== undefined) await work;
      unfinished = true;
    } else {
      const commit = header.type === ChunkType.commit ? readCommit(payload) : undefined;
      if (commit === undefined || commit.chain !== chain) return stop("damaged");
      result.synced = Math.max(result.synced, commit.synced);
    }
    chain = chainAfter(window.bytes, window.at(offset), chain);
    offset = end;
    if (header.type === ChunkType.commit) {
      unfinished = false;
      result.end = { offset, chain };
      visitor.commit?.(result.end);
    }
  }
  progress?.(size, size);
  return stop(unfinished ? "unfinished" : "nothing");
}

/**
 * Throws `corrupt` when its marks or any commit say that the log was on the disk beyond its good part: no
 * power cut can be the reason.
 */
export async function refuseDamage(
  file: OpenedFile,
  id: FileId,
  found: Scan,
  marked: number,
  size: number,
  path: string,
): Promise<void> {
  const { offset } = found.end;
  if (Math.max(found.synced, marked) > offset) throw damageError(path);
  if (found.rest !== "nothing" && (await syncedBeyond(file, id, offset, size)) > offset) throw damageError(path);
}

/** Highest `synced` of any commit chunk between two offsets, whatever is around it. */
async function syncedBeyond(file: OpenedFile, id: FileId, from: number, size: number): Promise<number> {
  let synced = 0;
  const window = new FileWindow(file, size);
  for (let offset = Math.max(from, HEAD_BYTES); offset + COMMIT_BYTES <= size;) {
    const length = Math.min(WINDOW_BYTES, size - offset);
    if (!(await window.read(offset, length))) return synced;
    const bytes = Buffer.from(window.bytes.buffer, 0, length);
    for (let at = bytes.indexOf(CHUNK_MARK); at >= 0; at = bytes.indexOf(CHUNK_MARK, at + 1)) {
      const header = readChunkHeader(bytes, at, id, offset + at);
      if (header?.type !== ChunkType.commit) continue;
      const payload = bytes.subarray(at + CHUNK_HEADER_BYTES, at + CHUNK_HEADER_BYTES + header.length);
      const commit = crc32(payload) === header.crc ? readCommit(payload) : undefined;
      synced = Math.max(synced, commit?.synced ?? 0);
    }
    // A chunk that does not end in this window begins in the next.
    offset += Math.max(1, length - COMMIT_BYTES + 1);
  }
  return synced;
}

/** Part of the file in memory. */
class FileWindow {
  bytes: Uint8Array = new Uint8Array(0);
  #start = 0;
  #length = 0;
  readonly #file: OpenedFile;
  readonly #size: number;

  constructor(file: OpenedFile, size: number) {
    this.#file = file;
    this.#size = size;
  }

  at(offset: number): number {
    return offset - this.#start;
  }

  has(offset: number, length: number): boolean {
    return offset >= this.#start && offset + length <= this.#start + this.#length;
  }

  /** Moves to `offset`; false when the file has no `length` bytes there. */
  async read(offset: number, length: number): Promise<boolean> {
    if (offset + length > this.#size) return false;
    const wanted = Math.min(Math.max(length, WINDOW_BYTES), this.#size - offset);
    const kept = Math.max(0, this.#start + this.#length - offset);
    if (wanted > this.bytes.length || this.bytes.length > 2 * Math.max(wanted, WINDOW_BYTES)) {
      const larger = new Uint8Array(wanted);
      larger.set(this.bytes.subarray(this.at(offset), this.at(offset) + kept));
      this.bytes = larger;
    } else {
      this.bytes.copyWithin(0, this.at(offset), this.at(offset) + kept);
    }
    this.#start = offset;
    this.#length = kept;
    while (this.#length < wanted) {
      const read = await this.#file.read(this.bytes.subarray(this.#length, wanted), offset + this.#length);
      if (read === 0) return this.#length >= length;
      this.#length += read;
    }
    return true;
  }
}
