/** What a batch has changed, as listeners see it. */
import type { Change, Changes } from "#js/storage/changes.js";
import { Decoder } from "../codec/decoder.js";
import { storedContext } from "./stored.js";
import { binaryToText, fromBinary } from "../codec/utf8.js";
import type { LuaKey, LuaValue, ValueContext } from "../codec/values.js";

/** One entry of an external table that is not what it was. */
export interface LuaChange<K = LuaKey, V = LuaValue> {
  /** The name of the table. */
  readonly table: string;
  /** The key of the entry. */
  readonly key: K;
  /** What it was; undefined: it was not there. */
  readonly old: V | undefined;
  /** What it is; undefined: it is gone. */
  readonly new: V | undefined;
}

/** What the listeners of `change` get: what one batch changed. */
export interface LuaChangeEvent {
  /** Names of the tables that were changed, made, cleared or dropped. */
  readonly tables: readonly string[];
  /** The entries that are not what they were, table by table. Decoded when they are first asked for. */
  readonly changes: readonly LuaChange[];
  /** The number of the call into Lua that wrote it (`stats().evals`); undefined when it was not Lua. */
  readonly eval: number | undefined;
  /** Who wrote it: Lua, JavaScript, or (with `readOnly`) the one whose storage it is. */
  readonly origin: "lua" | "js" | "storage";
}

/** The event behind what the store tells. */
export function changeEvent({ tables, list, eval: number, origin }: Changes, context: ValueContext): LuaChangeEvent {
  return withChanges({ tables: tables.map(binaryToText), eval: number, origin }, list, context);
}

/** An event with its `changes`, which are decoded when they are first asked for, and once. */
export function withChanges<E extends object>(
  event: E,
  list: readonly Change[],
  context: ValueContext,
): E & Pick<LuaChangeEvent, "changes"> {
  let changes: LuaChange[] | undefined;
  return Object.defineProperty(event, "changes", {
    get: () => (changes ??= changesOf(list, context)),
    enumerable: true,
    configurable: true,
  }) as E & Pick<LuaChangeEvent, "changes">;
}

function changesOf(list: readonly Change[], context: ValueContext): LuaChange[] {
  const decoder = new Decoder(storedContext(context));
  const decode = (binary: string | undefined) =>
    binary === undefined ? undefined : decoder.single(fromBinary(binary));
  return list.map((change) => ({
    table: binaryToText(change.table),
    key: decode(change.key) as LuaKey,
    old: decode(change.old),
    new: decode(change.new),
  }));
}
