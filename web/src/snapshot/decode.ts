/**
 * Bytes that may be an image (format.ts): checked, and taken apart.
 */
import { crc32 } from "#js/storage/crc32.js";
import { imageError } from "./errors.js";
import {
  BUILD_AT,
  BUILD_BYTES,
  CRC_BYTES,
  FIELDS_AT,
  FORMAT,
  HEAD_BYTES,
  MAGIC,
  PAGE_HEAD_BYTES,
  type ImageHead,
} from "./format.js";
import { parseMeta } from "./meta.js";
import { PAGE_BYTES, WASM_PAGE_BYTES, buildOf, hex, type MemoryPages, type MemoryPart } from "./pages.js";

/** An image whose checksum is right. */
export interface DecodedImage extends ImageHead {
  /** Build id of the module that it belongs to. */
  readonly build: string;
  /** Unpacks its pages, with the help of any instance of the module. */
  memory(pages: MemoryPages): MemoryPart;
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
