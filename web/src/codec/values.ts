/** Types of the JavaScript values that cross to Lua and back, and what the codec needs of a VM. */
import type { LuaFunction, LuaReference } from "../host/handles.js";
import type { HostIds } from "../host/entries.js";
import type { LuaTable } from "../lua_table.js";

/**
 * A Lua value in JavaScript. Values that JavaScript gave to Lua and gets back (its functions, the objects
 * behind `lua.ref`) are what they were, which no type can say.
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

/** The VM as the codec sees it: it knows the values that are more than bytes. */
export interface ValueContext {
  /** Ids of the host functions and objects that Lua has. */
  readonly host: HostIds;
  /** Makes the function behind a handle. */
  function(handle: number): LuaFunction;
  /** Makes the thread or userdata behind a handle. */
  reference(type: number, handle: number): LuaReference;
  /** Returns the external table of this name (a binary string). */
  external(name: string): LuaTable;
}
