/**
 * `perilune/capsule`: a SQLite database and a Lua that belong together. Every change of the data is an exact
 * event, hooks in Lua run inside of the transaction that they judge, and live queries follow.
 */
export { GlyphCase, type GlyphCaseOptions, type Mod } from "./glyphcase.js";
export { Capsule, setModuleReader, type SyncCapsuleOptions, type SyncMod } from "./capsule.js";
export type { Transaction, TransactionFunction } from "./calls.js";
export { CapsuleError, isCapsuleError, type CapsuleErrorDetails, type CapsuleErrorKind } from "./errors.js";
export { PerformanceMonitor, type Figures, type PerformanceReport, type Tracker } from "./monitor.js";
export type { CapsuleOptions, EventOptions, SandboxOptions } from "./options.js";
export { setFiles, type OpenFiles, type TakeFiles } from "./places.js";
export type * from "./types.js";
export {
  LuaClosedError,
  LuaError,
  LuaInterruptError,
  LuaMemoryError,
  LuaRuntimeError,
  LuaSyntaxError,
  LuaTimeoutError,
  type LuaErrorKind,
} from "../errors.js";
export type { HostFunction } from "../host/entries.js";
export { LuaMultiReturn } from "../host/host_calls.js";
export type { LuaFunction, LuaReference, LuaValue } from "../codec/values.js";
export type { WasmSource } from "../options.js";
