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
import { LuaReference } from "./host/handles.js";
import { LuaImage } from "./snapshot/image.js";
import { LuaMultiReturn } from "./host/host_calls.js";
import { LuaDetachedObject } from "./host/refs.js";
import { Lua } from "./lua.js";
import { LuaTable } from "./lua_table.js";

export { Lua, LuaImage, LuaMultiReturn, LuaReference, LuaTable, LuaDetachedObject };
export { LuaFunction } from "./host/handles.js";
export type { LuaChange, LuaChangeEvent } from "./storage/change_event.js";
export type { LuaEvents, LuaOptions, LuaResult, LuaStorageEstimate } from "./lua.js";
export {
  LuaClosedError,
  LuaError,
  LuaExitError,
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
export type { LuaRun } from "./instance/output.js";
export { setDefaultModule } from "./instance/loader.js";
/** @internal */
export { preferInlineModule } from "./instance/loader.js";
/** @internal */
export { makeHandledRef } from "./host/refs.js";
/** @internal */
export { setFileStorage } from "./storage/storage.js";
/** @internal */
export { lastingStorage } from "./storage/part.js";
/** @internal */
export { restoring } from "./snapshot/part.js";
export type { LuaTableChangeEvent } from "./lua_table.js";
export type { FileInfo, LuaFiles } from "./files.js";
export type { LuaGlobals } from "./globals.js";
export type { HostFunction } from "./host/entries.js";
export type { LuaRestored } from "./snapshot/image.js";
export type { LuaTask } from "./snapshot/tasks.js";
export type {
  CloseOptions,
  DumpOptions,
  EvalAsyncOptions,
  EvalOptions,
  FileContent,
  FileSystemOptions,
  ForkOptions,
  InputCallback,
  InputSource,
  ConversionOptions,
  LimitOptions,
  LoadOptions,
  LoadProgress,
  LuaPrevious,
  Modules,
  ModuleSource,
  OutputCallback,
  OutputTarget,
  RestoreOptions,
  SnapshotOptions,
  StorageBackend,
  WasmSource,
} from "./options.js";
export type { HostRef, RefMembers } from "./host/refs.js";
export type { GcMode, LuaStats } from "./stats.js";
export type { LuaKey, LuaValue } from "./codec/values.js";

// What a console shows, minified or not.
for (const [name, exported] of Object.entries({
  Lua,
  LuaImage,
  LuaMultiReturn,
  LuaReference,
  LuaTable,
  LuaDetachedObject,
})) {
  Object.defineProperty(exported, "name", { value: name });
}
