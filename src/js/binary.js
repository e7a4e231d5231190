/**
 * Binary strings: JavaScript strings in which each character is one byte, 0 to 255.
 *
 * V8 keeps them at one byte per character and compares and hashes them natively, which is why tables are kept
 * in them.
 */

/** Length up to which strings are put together from a fixed number of characters. */
const FIXED_LENGTH_MAX = 24;
/** Number of characters that one call of `String.fromCharCode` gets: it takes them as arguments. */
const CHARS_PER_CALL = 8192;
/** Length from which on the platform's encoder is worth its call. */
const ENCODER_LENGTH_MIN = 48;

const encoder = new TextEncoder();

/**
 * Makes a binary string of bytes: each character is one byte.
 * @param {Uint8Array} b
 * @param {number} p address
 * @param {number} n length
 * @returns {string}
 */
export function bytesToBinary(b, p, n) {
  // A call with a fixed number of arguments is three to six times as fast as any loop or `apply` (Node 20:
  // 15 ns). The indices are inside of memory: the module gave them. Others would read undefined, and become
  // character 0.
  if (n > FIXED_LENGTH_MAX) return longToBinary(b, p, n);
  const c = /** @type {(...codes: (number | undefined)[]) => string} */ (String.fromCharCode);
  // prettier-ignore
  switch (n) {
    case 0: return "";
    case 1: return c(b[p]);
    case 2: return c(b[p], b[p+1]);
    case 3: return c(b[p], b[p+1], b[p+2]);
    case 4: return c(b[p], b[p+1], b[p+2], b[p+3]);
    case 5: return c(b[p], b[p+1], b[p+2], b[p+3], b[p+4]);
    case 6: return c(b[p], b[p+1], b[p+2], b[p+3], b[p+4], b[p+5]);
    case 7: return c(b[p], b[p+1], b[p+2], b[p+3], b[p+4], b[p+5], b[p+6]);
    case 8: return c(b[p], b[p+1], b[p+2], b[p+3], b[p+4], b[p+5], b[p+6], b[p+7]);
    case 9: return c(b[p], b[p+1], b[p+2], b[p+3], b[p+4], b[p+5], b[p+6], b[p+7], b[p+8]);
    case 10: return c(b[p], b[p+1], b[p+2], b[p+3], b[p+4], b[p+5], b[p+6], b[p+7], b[p+8], b[p+9]);
    case 11: return c(b[p], b[p+1], b[p+2], b[p+3], b[p+4], b[p+5], b[p+6], b[p+7], b[p+8], b[p+9], b[p+10]);
    case 12: return c(b[p], b[p+1], b[p+2], b[p+3], b[p+4], b[p+5], b[p+6], b[p+7], b[p+8], b[p+9], b[p+10], b[p+11]);
    case 13: return c(b[p], b[p+1], b[p+2], b[p+3], b[p+4], b[p+5], b[p+6], b[p+7], b[p+8], b[p+9], b[p+10], b[p+11], b[p+12]);
    case 14: return c(b[p], b[p+1], b[p+2], b[p+3], b[p+4], b[p+5], b[p+6], b[p+7], b[p+8], b[p+9], b[p+10], b[p+11], b[p+12], b[p+13]);
    case 15: return c(b[p], b[p+1], b[p+2], b[p+3], b[p+4], b[p+5], b[p+6], b[p+7], b[p+8], b[p+9], b[p+10], b[p+11], b[p+12], b[p+13], b[p+14]);
    default: return c(b[p], b[p+1], b[p+2], b[p+3], b[p+4], b[p+5], b[p+6], b[p+7], b[p+8], b[p+9], b[p+10], b[p+11], b[p+12], b[p+13], b[p+14], b[p+15])
      + bytesToBinary(b, p + 16, n - 16);
  }
}

/**
 * @param {Uint8Array} bytes
 * @param {number} at
 * @param {number} length
 */
function longToBinary(bytes, at, length) {
  let binary = "";
  for (let done = 0; done < length; done += CHARS_PER_CALL) {
    const part = bytes.subarray(at + done, at + Math.min(done + CHARS_PER_CALL, length));
    binary += String.fromCharCode.apply(null, /** @type {any} */ (part));
  }
  return binary;
}

/**
 * Writes a binary string; there must be room for it.
 * @param {string} binary
 * @param {Uint8Array} bytes
 * @param {number} at
 */
export function binaryToBytes(binary, bytes, at) {
  const length = binary.length;
  let done = 0;
  if (length >= ENCODER_LENGTH_MIN) {
    // An encoded string begins with its tag and length; what follows is ASCII more often than not, and ASCII
    // is what UTF-8 writes one to one. The encoder stops where it is not: the loop writes from there.
    for (; done < 5; done++) bytes[at + done] = binary.charCodeAt(done);
    done += asciiToBytes(binary.slice(5), bytes.subarray(at + 5, at + length));
  }
  for (; done < length; done++) bytes[at + done] = binary.charCodeAt(done);
}

/**
 * Writes as much of `text` as is ASCII; says how much.
 * @param {string} text
 * @param {Uint8Array} bytes exactly as long as `text`
 */
function asciiToBytes(text, bytes) {
  const { read, written } = encoder.encodeInto(text, bytes);
  // One to one all the way. Otherwise something was not ASCII, and where is not known.
  return read === written && read === text.length ? read : 0;
}
