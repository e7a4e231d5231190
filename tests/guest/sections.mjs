/**
 * Reads a wasm module's imports, exports and stack size from its bytes: an engine that does not know the
 * module's encoding of exceptions refuses to compile it.
 */

const [IMPORTS, GLOBALS, EXPORTS] = [2, 6, 7];
const [FUNCTION, TABLE, MEMORY, GLOBAL, TAG] = [0, 1, 2, 3, 4];
const [I32, I32_CONST, END] = [0x7f, 0x41, 0x0b];
const HEADER_BYTES = 8;

/**
 * Reads a module. `stackPointer` is the initial value of the first global of the module's own, which is the
 * linker's `__stack_pointer`: the address of the stack's upper end. The stack comes first in memory, so it is
 * the stack's size, too.
 *
 * @param {Uint8Array} bytes
 * @returns {{ imports: string[], exports: string[], stackPointer: number }}
 */
export function sections(bytes) {
  const found = { imports: [], exports: [], stackPointer: NaN };
  let at = HEADER_BYTES;
  const byte = () => bytes[at++];
  /** A number in LEB128; the few that are signed here are addresses, which are positive. */
  const number = () => {
    for (let value = 0, shift = 0; ; shift += 7) {
      const next = byte();
      value += (next & 0x7f) * 2 ** shift;
      if (next < 0x80) return value;
    }
  };
  const name = () => {
    const length = number();
    at += length;
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(at - length, at));
  };
  const limits = () => {
    const flags = byte();
    number();
    if (flags & 1) number();
  };
  const skipType = {
    [FUNCTION]: () => number(),
    [TABLE]: () => (byte(), limits()),
    [MEMORY]: limits,
    [GLOBAL]: () => (byte(), byte()),
    [TAG]: () => (byte(), number()),
  };
  while (at < bytes.length) {
    const section = byte();
    const end = number() + at;
    if (section === IMPORTS) {
      for (let left = number(); left > 0; left--) {
        found.imports.push(`${name()}.${name()}`);
        skipType[byte()]();
      }
    } else if (section === EXPORTS) {
      for (let left = number(); left > 0; left--) {
        found.exports.push(name());
        byte();
        number();
      }
    } else if (section === GLOBALS && number() > 0) {
      const [type, mutable, instruction] = [byte(), byte(), byte()];
      const value = number();
      if (type === I32 && mutable === 1 && instruction === I32_CONST && byte() === END) found.stackPointer = value;
    }
    at = end;
  }
  return found;
}
