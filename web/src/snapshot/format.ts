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
import { imageError } from "./errors.js";
import { parseMeta } from "./meta.js";
import type { Meta } from "./parts.js";
import { PAGE_BYTES, WASM_PAGE_BYTES, buildOf, hex, type MemoryPages, type MemoryPart } from "./pages.js";

const MAGIC = "PERILUVM";
const FORMAT = 1;
const BUILD_AT = 12;
const BUILD_BYTES = 16;
const FIELDS_AT = BUILD_AT + BUILD_BYTES;
const HEAD_BYTES = FIELDS_AT + 5 * 4;
const PAGE_HEAD_BYTES = 8;
const CRC_BYTES = 4;

/** Contents of an image beside its pages. */
export interface ImageHead {
  readonly memoryBytes: number;
  readonly memoryLimit: number;
  readonly meta: Meta;
  /** A dump of the external tables (dump.ts). */
  readonly tables: Uint8Array | undefined;
}

/** An image whose checksum is right. */
export interface DecodedImage extends ImageHead {
  /** Build id of the module that it belongs to. */
  readonly build: string;
  /** Unpacks its pages, with the help of any instance of the module. */
  memory(pages: MemoryPages): MemoryPart;
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

/**
 * Decodes an image, but for its pages, which `memory` unpacks. Throws a `LuaImageError` that says why it is
 * none.
 */
export function decodeImage(image: Uint8Array): DecodedImage {
  const view = new DataView(image.buffer, image.byteOffset, image.length);
  const end = image.length - CRC_BYTES;
  if (!startsWithMagic(image)) throw imageError("foreign", "these bytes are not an image of a VM");
  if (end < HEAD_BYTES) throw imageError("corrupt", "the image is damaged: it is cut off");
  const format = view.getUint32(MAGIC.length, true);
  if (format > FORMAT) throw imageError("newer", "the image was made by a newer version of Perilune");
  if (format < 1 || view.getUint32(end, true) !== crc32(image.subarray(0, end))) {
    throw imageError("corrupt", "the image is damaged: its checksum is wrong, or it is cut off");
  }
  const field = (index: number) => view.getUint32(FIELDS_AT + 4 * index, true);
  const [memoryBytes, memoryLimit, textLength, count, tablesLength] = [0, 1, 2, 3, 4].map(field) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const pagesAt = HEAD_BYTES + textLength;
  const tablesAt = end - tablesLength;
  if (pagesAt > tablesAt) throw damaged();
  if (memoryBytes % WASM_PAGE_BYTES !== 0 || memoryBytes > memoryLimit) throw damaged();
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(image.subarray(HEAD_BYTES, pagesAt));
  } catch {
    throw damaged();
  }
  return {
    build: hex(image.subarray(BUILD_AT, BUILD_AT + BUILD_BYTES)),
    memoryBytes,
    memoryLimit,
    meta: parseMeta(text, memoryBytes),
    tables: tablesLength === 0 ? undefined : image.subarray(tablesAt, end),
    memory: (pages) => unpackPages(pages, image.subarray(pagesAt, tablesAt), count, memoryBytes),
  };
}

/** Refuses an image that belongs to another module than this. */
export function checkBuild(image: DecodedImage, module: WebAssembly.Module): void {
  const build = buildOf(module);
  if (image.build === build) return;
  const other = `the image belongs to another build of perilune.wasm (${image.build}, and this is ${build ?? "none"})`;
  throw imageError("build", other);
}

function unpackPages(pages: MemoryPages, bytes: Uint8Array, count: number, memoryBytes: number): MemoryPart {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const numbers: number[] = [];
  if (count > memoryBytes / PAGE_BYTES) throw damaged();
  const words = new Int32Array((count * PAGE_BYTES) / 4);
  let at = 0;
  let last = pages.range.first - 1;
  for (let index = 0; index < count; index++) {
    if (at + PAGE_HEAD_BYTES > bytes.length) throw damaged();
    const number = view.getUint32(at, true);
    const length = view.getUint32(at + 4, true);
    at += PAGE_HEAD_BYTES + length;
    if (number <= last || (number + 1) * PAGE_BYTES > memoryBytes || at > bytes.length) throw damaged();
    const page = length > PAGE_BYTES ? undefined : pages.unpack(bytes.subarray(at - length, at));
    if (page === undefined) throw damaged();
    words.set(page, (index * PAGE_BYTES) / 4);
    numbers.push(number);
    last = number;
  }
  if (at !== bytes.length) throw damaged();
  return { memoryBytes, numbers, words };
}

function startsWithMagic(image: Uint8Array): boolean {
  return new TextDecoder("latin1").decode(image.subarray(0, MAGIC.length)) === MAGIC;
}

function damaged(): Error {
  return imageError("corrupt", "the image is damaged");
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
