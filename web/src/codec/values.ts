/** Which JavaScript values cross to Lua and back: the types, and what the two directions need to know of a VM. */
import type { LuaFunction, LuaReference } from "../host/handles.js";
import type { HostIds } from "../host/entries.js";
import type { LuaTable } from "../lua_table.js";

/**
 * What a Lua value becomes in JavaScript. What JavaScript gave to Lua and gets back - its functions, the objects behind
 * `lua.ref` - is what it was, which no type can say.
 */
export type LuaValue =
  | undefined
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | LuaValue[]
  | { [key: string]: LuaValue }
  | Map<LuaValue, LuaValue>
  | LuaFunction
  | LuaTable
  | LuaReference;

/** A key of an external table. */
export type LuaKey = boolean | number | bigint | string | Uint8Array;

/** What the codec asks a VM for: the values that are more than bytes. */
export interface ValueContext {
  /** What the host gave to Lua. */
  readonly host: HostIds;
  /** The function behind a handle. */
  function(handle: number): LuaFunction;
  /** The thread or userdata behind a handle. */
  reference(type: number, handle: number): LuaReference;
  /** The external table of this name (a binary string). */
  external(name: string): LuaTable;
}
