/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Perilune: a persistent, sandboxed Lua 5.4.
 *
 * ```js
 * import { Lua } from "perilune";
 *
 * const lua = await Lua.create({ storage: "idb://notes" });
 * lua.eval("local t = ext.table('visits'); t.n = (t.n or 0) + 1; return t.n"); // one more at every visit
 * await lua.flush(); // committed, not only accepted
 * ```
 *
 * @packageDocumentation
 */
import { LuaReference } from "./handles.js";
import { LuaMultiReturn } from "./host_calls.js";
import { LuaTombstone } from "./host_table.js";
import { LuaImage } from "./image/image.js";
import { Lua } from "./lua.js";
import { LuaTable } from "./table.js";

export { Lua, LuaImage, LuaMultiReturn, LuaReference, LuaTable, LuaTombstone };
export { LuaFunction } from "./handles.js";
export type { LuaChange, LuaChangeEvent } from "./changes.js";
export type { LuaEvents, LuaResult, LuaRun, LuaStorageEstimate } from "./lua.js";
export {
  LuaClosedError,
  LuaError,
  LuaImageError,
  LuaInterruptError,
  LuaMemoryError,
  LuaRuntimeError,
  LuaStorageError,
  LuaSyntaxError,
  LuaTimeoutError,
  type LuaErrorDetails,
  type LuaErrorKind,
} from "./errors.js";
export { setDefaultModule } from "./loader.js";
/** @internal */
export { setFileStorage } from "./storage.js";
export type { LuaTableChangeEvent } from "./table.js";
export type { LuaGlobals } from "./globals.js";
export type { HostFunction } from "./host_table.js";
export type { LuaRestored } from "./image/image.js";
export type { LuaTask } from "./image/tasks.js";
export type {
  EvalAsyncOptions,
  EvalOptions,
  ForkOptions,
  InputCallback,
  LimitOptions,
  LoadProgress,
  LuaOptions,
  LuaPrevious,
  Modules,
  ModuleSource,
  OutputCallback,
  RestoreOptions,
  SnapshotOptions,
  StorageBackend,
  WasmSource,
} from "./options.js";
export type { HostRef, RefMembers } from "./refs.js";
export type { GcMode, LuaStats } from "./stats.js";
export type { LuaKey, LuaValue } from "./values.js";

// What a console shows, minified or not.
for (const [name, exported] of Object.entries({
  Lua,
  LuaImage,
  LuaMultiReturn,
  LuaReference,
  LuaTable,
  LuaTombstone,
})) {
  Object.defineProperty(exported, "name", { value: name });
}
