/**
 * Images taken apart and put together again, with whatever a test has changed, and with the right checksum.
 */
import { crc32 } from "#js/storage/crc32.js";
import { Lua } from "../src/index.ts";

const HEAD_BYTES = 48;
export const PAGE_BYTES: number = 16 * 1024;

/** Everything that is in an image. Pages: what follows their numbers and lengths. */
export interface Parts {
  magic: string;
  format: number;
  build: Uint8Array;
  memoryBytes: number;
  memoryLimit: number;
  /** The text, or what is to be written as JSON. */
  meta: any;
  pages: { number: number; bytes: Uint8Array; length?: number }[];
  tables: Uint8Array;
  /** Fields of the header that are not the truth. */
  claims?: { text?: number; pages?: number; tables?: number };
  /** Bytes that nobody has asked for, behind the pages. */
  rest?: Uint8Array;
}

export function takeApart(image: Uint8Array): Parts {
  const view = new DataView(image.buffer, image.byteOffset, image.length);
  const [memoryBytes, memoryLimit, textLength, count, tablesLength] = [0, 1, 2, 3, 4].map((i) =>
    view.getUint32(28 + 4 * i, true),
  ) as [number, number, number, number, number];
  let at = HEAD_BYTES + textLength;
  const pages: Parts["pages"] = [];
  for (let i = 0; i < count; i++) {
    const length = view.getUint32(at + 4, true);
    pages.push({ number: view.getUint32(at, true), bytes: image.slice(at + 8, at + 8 + length) });
    at += 8 + length;
  }
  return {
    magic: "PERILUVM",
    format: view.getUint32(8, true),
    build: image.slice(12, 28),
    memoryBytes,
    memoryLimit,
    meta: JSON.parse(new TextDecoder().decode(image.subarray(HEAD_BYTES, HEAD_BYTES + textLength))),
    pages,
    tables: image.slice(at, at + tablesLength),
  };
}

export function putTogether(parts: Parts): Uint8Array<ArrayBuffer> {
  const { meta, pages, tables, claims = {}, rest = new Uint8Array(0) } = parts;
  const text = meta instanceof Uint8Array ? meta : Buffer.from(typeof meta === "string" ? meta : JSON.stringify(meta));
  const head = Buffer.alloc(HEAD_BYTES);
  head.write(parts.magic, 0, "latin1");
  head.writeUInt32LE(parts.format, 8);
  head.set(parts.build, 12);
  const numbers = [
    parts.memoryBytes,
    parts.memoryLimit,
    claims.text ?? text.length,
    claims.pages ?? pages.length,
    claims.tables ?? tables.length,
  ];
  numbers.forEach((number, i) => head.writeUInt32LE(number, 28 + 4 * i));
  const all = [head, text];
  for (const { number, bytes, length = bytes.length } of pages) {
    const page = Buffer.alloc(8);
    page.writeUInt32LE(number, 0);
    page.writeUInt32LE(length, 4);
    all.push(page, bytes as Buffer);
  }
  return checked(Buffer.concat([...all, rest, tables, Buffer.alloc(4)]));
}

/** Returns the same bytes, with the checksum made right. */
export function checked(image: Uint8Array): Uint8Array<ArrayBuffer> {
  const made = new Uint8Array(image);
  new DataView(made.buffer).setUint32(made.length - 4, crc32(made.subarray(0, made.length - 4)), true);
  return made;
}

/** Returns the parts of an image with all its pages unpacked. */
export async function unpacked(image: Uint8Array<ArrayBuffer>): Promise<Parts> {
  const { numbers, words } = (await Lua.image(image)).decoded.memory(undefined as never);
  const pages = numbers.map((number, i) => ({
    number,
    bytes: new Uint8Array(words.buffer, words.byteOffset + i * PAGE_BYTES, PAGE_BYTES).slice(),
  }));
  return { ...takeApart(image), pages };
}
