/**
 * Conversion of describe.lua's flat descriptions, and of JavaScript values, to values that the page shows.
 */
import { LuaTable, type LuaKey, type LuaValue } from "perilune";
import type { Shown } from "../protocol.ts";

/** Reads descriptions, one after the other. */
export function readShown(list: LuaValue): Shown[] {
  // An empty Lua table arrives as an empty object.
  const items = Array.isArray(list) ? list : [];
  let at = 0;
  const take = (): LuaValue => items[at++];

  function one(): Shown {
    const type = take();
    switch (type) {
      case "nil":
        return { type };
      case "boolean":
      case "integer":
      case "float":
        return { type, text: String(take()) };
      case "string": {
        const value = take();
        const bytes = Number(take());
        return value instanceof Uint8Array
          ? { type: "binary", data: value, bytes }
          : { type, text: String(value), bytes };
      }
      case "table": {
        const [id, count, shown] = [Number(take()), Number(take()), Number(take())];
        const entries = Array.from({ length: shown }, (): [Shown, Shown] => [one(), one()]);
        return { type, id, count, entries };
      }
      case "again":
        return { type, id: Number(take()) };
      case "external":
        return { type, name: String(take()) };
      default:
        return { type: "other", text: String(take()) };
    }
  }

  const all: Shown[] = [];
  while (at < items.length) all.push(one());
  return all;
}

/** Converts a key: here JavaScript can tell the types, because Lua makes every integral float an integer. */
export function showKey(key: LuaKey): Shown {
  return showPlain(key);
}

/**
 * Converts a value without asking the VM, which may have no memory left. A float without a fraction looks
 * like an integer; tables show their size only.
 */
export function showPlain(value: LuaValue): Shown {
  switch (typeof value) {
    case "undefined":
      return { type: "nil" };
    case "boolean":
      return { type: "boolean", text: String(value) };
    case "bigint":
      return { type: "integer", text: String(value) };
    case "number":
      return { type: Number.isSafeInteger(value) ? "integer" : "float", text: String(value) };
    case "string":
      return { type: "string", text: value.slice(0, 2000), bytes: new TextEncoder().encode(value).length };
    default:
      return showObject(value);
  }
}

function showObject(value: Exclude<LuaValue, undefined | boolean | bigint | number | string>): Shown {
  if (value === null) return { type: "other", text: "null" };
  if (value instanceof Uint8Array) return { type: "binary", data: value.slice(0, 2000), bytes: value.length };
  if (value instanceof LuaTable) return { type: "external", name: value.name };
  if (typeof value === "function") return { type: "other", text: "function" };
  const count = value instanceof Map ? value.size : Object.keys(value).length;
  return { type: "table", id: 0, count, entries: [] };
}

const ENTRIES_MAX = 100;
const DEPTH_MAX = 5;

/** Converts a value like `showPlain`, with the entries of tables. */
export function showDeep(value: LuaValue, depth = 0): Shown {
  const shown = showPlain(value);
  if (shown.type !== "table" || depth === DEPTH_MAX) return shown;
  const all: Iterable<[LuaValue, LuaValue]> =
    value instanceof Map
      ? value
      : Array.isArray(value)
        ? value.map((entry, index) => [index + 1, entry])
        : Object.entries(value as Record<string, LuaValue>);
  const entries = [...all].slice(0, ENTRIES_MAX);
  return { ...shown, entries: entries.map(([key, entry]) => [showPlain(key), showDeep(entry, depth + 1)]) };
}
