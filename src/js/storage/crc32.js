/**
 * CRC-32 of IEEE 802.3 (that of zip, gzip and PNG): polynomial 0x04c11db7, reflected, all ones in and out.
 *
 * Eight bytes at a time ("slicing by eight"): table `k` says what a byte does to the sum when `k` more bytes
 * follow it, so the eight lookups of a step do not wait for one another.
 *
 * This file imports nothing: wasm-bindgen carries it into other people's builds as a snippet.
 */

const POLYNOMIAL_REFLECTED = 0xedb88320;

const [T0, T1, T2, T3, T4, T5, T6, T7] = /** @type {any} */ (makeTables());

/**
 * Checksum of `bytes`, an unsigned 32-bit number. With the checksum of what comes before as `seed` it is that
 * of both together: `crc32(b, crc32(a))` is the checksum of `a` followed by `b`.
 * @param {Uint8Array} bytes
 * @param {number} [seed]
 * @returns {number}
 */
export function crc32(bytes, seed = 0) {
  // All indices below are within bounds, which the compiler cannot know.
  /** @type {{ [at: number]: any }} */
  const from = bytes;
  let sum = ~seed;
  let at = 0;
  for (const last = bytes.length - 8; at <= last; at += 8) {
    sum =
      T7[(sum ^ from[at]) & 0xff] ^
      T6[((sum >>> 8) ^ from[at + 1]) & 0xff] ^
      T5[((sum >>> 16) ^ from[at + 2]) & 0xff] ^
      T4[(sum >>> 24) ^ from[at + 3]] ^
      T3[from[at + 4]] ^
      T2[from[at + 5]] ^
      T1[from[at + 6]] ^
      T0[from[at + 7]];
  }
  for (; at < bytes.length; at += 1) sum = (sum >>> 8) ^ T0[(sum ^ from[at]) & 0xff];
  return ~sum >>> 0;
}

function makeTables() {
  /** @type {any[]} */
  const tables = Array.from({ length: 8 }, () => new Int32Array(256));
  for (let byte = 0; byte < 256; byte += 1) {
    let sum = byte;
    for (let bit = 0; bit < 8; bit += 1) sum = sum & 1 ? (sum >>> 1) ^ POLYNOMIAL_REFLECTED : sum >>> 1;
    tables[0][byte] = sum;
  }
  for (let k = 1; k < 8; k += 1) {
    for (let byte = 0; byte < 256; byte += 1) {
      const sum = tables[k - 1][byte];
      tables[k][byte] = (sum >>> 8) ^ tables[0][sum & 0xff];
    }
  }
  return tables;
}
