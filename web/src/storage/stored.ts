/**
 * Checks of bytes from outside (a dump), before a table gets them: keys and values must be as docs/codec.md
 * section 1 has them. A value with a handle or an id in it would name what was never given away.
 */
import { checkName } from "#js/storage/table_store.js";
import { LuaStorageError } from "../errors.js";
import { encodeKey } from "../codec/keys.js";
import { Tag, VALUE_DEPTH_MAX } from "../codec/tags.js";
import { fromBinary } from "../codec/utf8.js";
import type { ValueContext } from "../codec/values.js";

/**
 * Makes a context for values that come from storage: these have no handles and no ids of the host in them,
 * and whoever puts some there must not get what they name.
 */
export function storedContext(context: ValueContext): ValueContext {
  const refuse = () => {
    throw new LuaStorageError("corrupt", "the stored data is damaged: a value that only a running Lua can hold");
  };
  const host = { entry: () => undefined, use: refuse, release: refuse };
  const { conversion } = context;
  return { conversion, host, function: refuse, reference: refuse, external: (name) => context.external(name) };
}

/** True for a key, written in the one way that there is for it. */
export function isStoredKey(binary: string): boolean {
  switch (binary.charCodeAt(0)) {
    case Tag.float:
      return binary.length === 9 && !Number.isNaN(floatAt(binary, 1)) && encodeKey(floatAt(binary, 1)) === binary;
    case Tag.boolean:
    case Tag.integer:
    case Tag.string:
      return isStoredValue(binary);
    default:
      return false;
  }
}

/** True for a value, and nothing behind it. */
export function isStoredValue(binary: string): boolean {
  const { length } = binary;
  let at = 0;
  let tables = 0;

  const u32 = () => {
    // Past the end there is NaN, which counts as 0 here; the end is asked for after each step.
    const [a, b, c, d] = [0, 1, 2, 3].map((i) => binary.charCodeAt(at + i)) as [number, number, number, number];
    at += 4;
    return (a | (b << 8) | (c << 16) | (d << 24)) >>> 0;
  };

  /** Steps over a length and so many bytes. */
  const bytes = () => {
    const count = u32();
    at += count;
    return at;
  };

  const value = (depth: number): boolean => {
    switch (binary.charCodeAt(at++)) {
      case Tag.boolean:
        return binary.charCodeAt(at++) <= 1;
      case Tag.integer:
      case Tag.float:
        at += 8;
        return at <= length;
      case Tag.string:
        return bytes() <= length;
      case Tag.external: {
        const start = at + 4;
        return bytes() <= length && isTableName(binary.slice(start, at));
      }
      case Tag.back:
        return u32() < tables && at <= length;
      case Tag.table:
        return table(depth + 1);
      case Tag.emptyList:
        tables += 1;
        return depth < VALUE_DEPTH_MAX;
      default:
        return false;
    }
  };

  const table = (depth: number): boolean => {
    const [listed, paired] = [u32(), u32()];
    if (depth > VALUE_DEPTH_MAX || listed + 2 * paired > length - at) return false;
    tables += 1;
    for (let i = 0; i < listed; i++) if (!value(depth)) return false;
    for (let i = 0; i < paired; i++) {
      const key = at;
      if (!value(depth)) return false;
      if (binary.charCodeAt(key) === Tag.float && Number.isNaN(floatAt(binary, key + 1))) return false;
      if (!value(depth)) return false;
    }
    return true;
  };

  return value(0) && at === length;
}

/** True for a name that a table can have. */
export function isTableName(binary: string): boolean {
  try {
    checkName(binary);
    return true;
  } catch {
    return false;
  }
}

function floatAt(binary: string, at: number): number {
  return new DataView(fromBinary(binary.slice(at, at + 8)).buffer).getFloat64(0, true);
}
