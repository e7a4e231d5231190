/** Writing of records behind the end of a log: data chunks of about a mebibyte, then the commit. */
import { crc32 } from "#js/storage/crc32.js";
import type { OpenedFile } from "./files.js";
import {
  CHUNK_HEADER_BYTES,
  COMMIT_BYTES,
  ChunkType,
  DATA_CHUNK_BYTES,
  checkRecord,
  putChunkHeader,
  putCommit,
  putRecordHead,
  recordBytes,
  type FileId,
  type Position,
} from "./log.js";
import { Slice, crc32InSlices } from "./turns.js";

/** Bytes of the first buffer of a commit; most need no more. */
const BUFFER_BYTES = 8 * 1024;
/** Bytes that are written at once. */
const WRITE_BYTES = 4 * 1024 * 1024;

/** Commit that is being written. */
export class Append {
  readonly #file: OpenedFile;
  readonly #id: FileId;
  /** Offset of the next chunk. */
  #at: Position;
  /** Chunk that is being filled, from its header on. */
  #buffer: Uint8Array = new Uint8Array(BUFFER_BYTES);
  #used = CHUNK_HEADER_BYTES;
  #slice = new Slice();
  /** True if chunks were written already. */
  started = false;
  /** True if there is nothing to commit. */
  empty = true;

  constructor(file: OpenedFile, id: FileId, at: Position) {
    this.#file = file;
    this.#id = id;
    this.#at = at;
  }

  /**
   * Adds a record; `value` must not change until the commit is written. A promise is to be awaited before the
   * next call. Gives the place of the record in the file to `placed`.
   */
  put(
    key: string,
    value: Uint8Array | null,
    placed: (offset: number, size: number) => void,
  ): Promise<void> | undefined {
    checkRecord(key, value);
    this.empty = false;
    const size = recordBytes(key, value);
    const fits = this.#used + size <= CHUNK_HEADER_BYTES + DATA_CHUNK_BYTES;
    if (!fits || this.#slice.over) return this.#putSlowly(key, value, size, placed);
    this.#place(key, value, size, placed);
    return undefined;
  }

  /** Writes the last chunk, and the commit. Returns the position behind it. */
  async commit(synced: number): Promise<Position> {
    this.#reserve(COMMIT_BYTES);
    const start = this.#at.offset;
    const used = this.#seal();
    const end = putCommit(this.#buffer, used, synced, this.#id, this.#at);
    await writeFully(this.#file, this.#buffer.subarray(0, used + COMMIT_BYTES), start);
    return end;
  }

  async #putSlowly(
    key: string,
    value: Uint8Array | null,
    size: number,
    placed: (offset: number, size: number) => void,
  ): Promise<void> {
    if (this.#slice.over) await this.#slice.next();
    if (this.#used > CHUNK_HEADER_BYTES && this.#used + size > CHUNK_HEADER_BYTES + DATA_CHUNK_BYTES) {
      await this.#flush();
    }
    if (value !== null && size > DATA_CHUNK_BYTES) await this.#putAlone(key, value, size, placed);
    else this.#place(key, value, size, placed);
  }

  #place(key: string, value: Uint8Array | null, size: number, placed: (offset: number, size: number) => void): void {
    this.#reserve(size);
    const start = putRecordHead(this.#buffer, this.#used, key, value);
    if (value !== null) this.#buffer.set(value, start);
    placed(this.#at.offset + this.#used, size);
    this.#used += size;
  }

  /** Writes a record with a chunk of its own, its value from where it is. */
  async #putAlone(
    key: string,
    value: Uint8Array,
    size: number,
    placed: (offset: number, size: number) => void,
  ): Promise<void> {
    const { offset } = this.#at;
    const head = putRecordHead(this.#buffer, CHUNK_HEADER_BYTES, key, value);
    const crc = await crc32InSlices(value, crc32(this.#buffer.subarray(CHUNK_HEADER_BYTES, head)));
    this.#sealAs({ type: ChunkType.data, length: size, crc });
    this.started = true;
    await writeFully(this.#file, this.#buffer.subarray(0, head), offset);
    await writeFully(this.#file, value, offset + head);
    placed(offset + CHUNK_HEADER_BYTES, size);
  }

  async #flush(): Promise<void> {
    const start = this.#at.offset;
    const used = this.#seal();
    this.started = true;
    await writeFully(this.#file, this.#buffer.subarray(0, used), start);
  }

  /** Writes the header of the chunk, and ends it. Returns its length, 0 when nothing is in it. */
  #seal(): number {
    const used = this.#used;
    if (used === CHUNK_HEADER_BYTES) return 0;
    const payload = this.#buffer.subarray(CHUNK_HEADER_BYTES, used);
    this.#sealAs({ type: ChunkType.data, length: payload.length, crc: crc32(payload) });
    this.#used = CHUNK_HEADER_BYTES;
    return used;
  }

  #sealAs(header: { type: number; length: number; crc: number }): void {
    const chain = putChunkHeader(this.#buffer, 0, header, this.#id, this.#at);
    this.#at = { offset: this.#at.offset + CHUNK_HEADER_BYTES + header.length, chain };
  }

  #reserve(bytes: number): void {
    if (this.#used + bytes <= this.#buffer.length) return;
    const larger = new Uint8Array(Math.max(this.#used + bytes, 2 * this.#buffer.length));
    larger.set(this.#buffer.subarray(0, this.#used));
    this.#buffer = larger;
  }
}

export async function writeFully(file: OpenedFile, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const written = await file.write(bytes.subarray(done, done + WRITE_BYTES), offset + done);
    if (written === 0) throw Object.assign(new Error("the file takes no more bytes"), { code: "ENOSPC" });
    done += written;
  }
}
