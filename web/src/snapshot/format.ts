/**
 * Images as bytes: `lua.snapshot()`.
 *
 * | bytes    | what                                                                                        |
 * |----------|---------------------------------------------------------------------------------------------|
 * | 8        | `PERILUVM`                                                                                  |
 * | 4        | format of the image: 1                                                                      |
 * | 16       | build id of the module                                                                      |
 * | 4        | bytes of linear memory                                                                      |
 * | 4        | what it may grow to                                                                         |
 * | 4        | length of the text                                                                          |
 * | 4        | number of pages                                                                             |
 * | 4        | length of the dump of the external tables, 0 when they are not part of it                   |
 * |          | the text: JSON, see `Meta`                                                                  |
 * | for each | a page: its number (u32), its length (u32), its bytes: LZ4, or 16,384 as they are           |
 * |          | the dump                                                                                    |
 * | 4        | CRC-32 of all before                                                                        |
 *
 * Numbers are little endian. Pages are in ascending order.
 */
import { crc32 } from "#js/storage/crc32.js";
import type { Meta } from "./parts.js";

export const MAGIC = "PERILUVM";
export const FORMAT = 1;
export const BUILD_AT = 12;
export const BUILD_BYTES = 16;
export const FIELDS_AT: number = BUILD_AT + BUILD_BYTES;
export const HEAD_BYTES: number = FIELDS_AT + 5 * 4;
/** Bytes of a page before its own: number and length. */
export const PAGE_HEAD_BYTES = 8;
export const CRC_BYTES = 4;

/** Contents of an image beside its pages. */
export interface ImageHead {
  readonly memoryBytes: number;
  readonly memoryLimit: number;
  readonly meta: Meta;
  /** A dump of the external tables (dump.ts). */
  readonly tables: Uint8Array | undefined;
}

/** A page as it is in an image: its number, and its bytes as `MemoryPages.pack` makes them. */
export type PackedPage = readonly [number: number, packed: Uint8Array];

/** Encodes an image of these pages, in ascending order; each is copied before the next is asked for. */
export function encodeImage(pages: Iterable<PackedPage>, build: string, head: ImageHead): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(JSON.stringify(head.meta));
  const tables = head.tables ?? new Uint8Array(0);
  const out = new Growing(HEAD_BYTES + text.length + 64 * 1024 + tables.length);
  out.skip(HEAD_BYTES);
  out.bytes(text);
  let count = 0;
  for (const [number, packed] of pages) {
    out.u32(number);
    out.u32(packed.length);
    out.bytes(packed);
    count += 1;
  }
  out.bytes(tables);
  const image = out.finish(CRC_BYTES);
  const view = new DataView(image.buffer);
  new TextEncoder().encodeInto(MAGIC, image);
  view.setUint32(MAGIC.length, FORMAT, true);
  for (let i = 0; i < BUILD_BYTES; i++) image[BUILD_AT + i] = Number.parseInt(build.slice(2 * i, 2 * i + 2), 16);
  const fields = [head.memoryBytes, head.memoryLimit, text.length, count, tables.length];
  fields.forEach((field, i) => view.setUint32(FIELDS_AT + 4 * i, field, true));
  const checked = image.length - CRC_BYTES;
  view.setUint32(checked, crc32(image.subarray(0, checked)), true);
  return image;
}

/** A buffer whose length is not known before. */
class Growing {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #length = 0;

  constructor(room: number) {
    this.#bytes = new Uint8Array(room);
    this.#view = new DataView(this.#bytes.buffer);
  }

  skip(length: number): void {
    this.#need(length);
    this.#length += length;
  }

  bytes(bytes: Uint8Array): void {
    this.#need(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  u32(value: number): void {
    this.#need(4);
    this.#view.setUint32(this.#length, value, true);
    this.#length += 4;
  }

  /** Returns a copy of the bytes, with `room` bytes at its end. */
  finish(room: number): Uint8Array<ArrayBuffer> {
    this.skip(room);
    return this.#bytes.slice(0, this.#length);
  }

  #need(length: number): void {
    if (this.#length + length <= this.#bytes.length) return;
    const more = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length + length));
    more.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = more;
    this.#view = new DataView(more.buffer);
  }
}
