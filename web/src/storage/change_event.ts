/** Change events: what a batch has changed, as listeners see it. */
import type { Change, Changes } from "#js/storage/changes.js";
import { Decoder } from "../codec/decoder.js";
import { storedContext } from "./stored.js";
import { binaryToText, fromBinary } from "../codec/utf8.js";
import type { LuaKey, LuaValue, ValueContext } from "../codec/values.js";

/** Change of one entry of an external table. */
export interface LuaChange<K = LuaKey, V = LuaValue> {
  /** Name of the table. */
  readonly table: string;
  /** Key of the entry. */
  readonly key: K;
  /** Value before; undefined when it was not there. */
  readonly old: V | undefined;
  /** Value now; undefined when it is gone. */
  readonly new: V | undefined;
}

/** Argument of the listeners of `change`: the changes of one batch. */
export interface LuaChangeEvent {
  /** Names of the tables that were changed, made, cleared or dropped. */
  readonly tables: readonly string[];
  /** Changed entries, table by table. Decoded when they are first asked for. */
  readonly changes: readonly LuaChange[];
  /** Number of the call into Lua that wrote it (`stats().evals`); undefined when it was not Lua. */
  readonly eval: number | undefined;
  /** Writer of the batch: Lua, JavaScript, or (with `readOnly`) the VM whose storage it is. */
  readonly origin: "lua" | "js" | "storage";
}

/** Makes the event of a notification of the store. */
export function changeEvent({ tables, list, eval: number, origin }: Changes, context: ValueContext): LuaChangeEvent {
  return withChanges({ tables: tables.map(binaryToText), eval: number, origin }, list, context);
}

/** Adds `changes` to an event, which are decoded when they are first asked for, and once. */
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
  const { conversion } = context;
  const decode = (binary: string | undefined) =>
    binary === undefined ? undefined : decoder.single(fromBinary(binary), conversion);
  return list.map((change) => ({
    table: binaryToText(change.table),
    key: decoder.key(fromBinary(change.key), conversion) as LuaKey,
    old: decode(change.old),
    new: decode(change.new),
  }));
}
