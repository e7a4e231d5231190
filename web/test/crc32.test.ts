/** CRC-32 against known answers, and against the definition: one bit at a time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "#js/storage/crc32.js";
import { Random } from "./helpers.ts";

const ascii = (text: string) => new TextEncoder().encode(text);

function bitwise(bytes: Uint8Array): number {
  let sum = 0xffffffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit += 1) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
  }
  return ~sum >>> 0;
}

test("crc32: known answers", () => {
  assert.equal(crc32(ascii("123456789")), 0xcbf43926);
  assert.equal(crc32(ascii("")), 0);
  assert.equal(crc32(ascii("a")), 0xe8b7be43);
  assert.equal(crc32(ascii("The quick brown fox jumps over the lazy dog")), 0x414fa339);
  assert.equal(crc32(new Uint8Array(32)), 0x190a55ad);
  assert.equal(crc32(new Uint8Array(32).fill(0xff)), 0xff6cab0b);
});

test("crc32: any bytes, at any place, in any pieces", () => {
  const random = new Random(3);
  for (let i = 0; i < 300; i += 1) {
    const bytes = random.bytes(random.below(100)).subarray(random.below(9));
    const cut = random.below(bytes.length + 1);
    assert.equal(crc32(bytes), bitwise(bytes));
    assert.equal(crc32(bytes.subarray(cut), crc32(bytes.subarray(0, cut))), crc32(bytes));
  }
});
