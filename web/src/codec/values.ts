/** Types of the JavaScript values that cross to Lua and back, and what the codec needs of a VM. */
import type { HostIds } from "../host/entries.js";
import type { LuaTable } from "../lua_table.js";

export type { LuaTable };

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

/** A Lua function, called like any function: it returns the first result. */
export interface LuaFunction {
  (...args: unknown[]): LuaValue;
  /** Calls it, and returns all its results. */
  callAll(...args: unknown[]): LuaValue[];
  /** Calls it so that it may wait for promises; resolves to its first result. */
  callAsync(...args: unknown[]): Promise<LuaValue>;
  /** Lets Lua collect the function. Calling it afterwards throws `LuaClosedError`. */
  dispose(): void;
  [Symbol.dispose](): void;
}

/** A Lua thread (coroutine) or userdata: it can be kept and given back, nothing else. */
export interface LuaReference {
  /** Type of the value. */
  readonly type: "thread" | "userdata";
  /** Lets Lua collect the value. */
  dispose(): void;
  [Symbol.dispose](): void;
}

/** A key of an external table. */
export type LuaKey = boolean | number | bigint | string | Uint8Array;

/** Conversion of Lua's values to JavaScript's, where there is more than one way. */
export interface Conversion {
  /**
   * Strings: text where they are UTF-8, else bytes (`"auto"`, default), or all `Uint8Array` (`"bytes"`). Keys
   * of tables are as by `"auto"`.
   */
  readonly strings?: "auto" | "bytes" | undefined;
  /**
   * Integers: numbers where that is exact, else bigints (`"auto"`, default); numbers, and an error where that
   * is not exact (`"number"`); or all bigints (`"bigint"`), which tells them from floats.
   */
  readonly integers?: "auto" | "number" | "bigint" | undefined;
}

/** The VM as the codec sees it: it knows the values that are more than bytes. */
export interface ValueContext {
  /** Conversion of values that nobody wants in another way. */
  readonly conversion: Conversion;
  /** Ids of the host functions and objects that Lua has. */
  readonly host: HostIds;
  /** Makes the function behind a handle. */
  function(handle: number): LuaFunction;
  /** Makes the thread or userdata behind a handle. */
  reference(type: number, handle: number): LuaReference;
  /** Returns the external table of this name (a binary string). */
  external(name: string): LuaTable;
}
