/** Numbers and names of wasmoon's interface. */

/** Status of a thread that was resumed. */
export enum LuaReturn {
  Ok = 0,
  Yield = 1,
  ErrorRun = 2,
  ErrorSyntax = 3,
  ErrorMem = 4,
  ErrorErr = 5,
  ErrorFile = 6,
}

/** Types of Lua. */
export enum LuaType {
  None = -1,
  Nil = 0,
  Boolean = 1,
  LightUserdata = 2,
  Number = 3,
  String = 4,
  Table = 5,
  Function = 6,
  Userdata = 7,
  Thread = 8,
}

/** Names of the libraries. */
export enum LuaLibraries {
  Base = "_G",
  Coroutine = "coroutine",
  Table = "table",
  IO = "io",
  OS = "os",
  String = "string",
  UTF8 = "utf8",
  Math = "math",
  Debug = "debug",
  Package = "package",
}

/** Result of `resume`. */
export interface LuaResumeResult {
  result: LuaReturn;
  resultCount: number;
}

/** Options of `run`. */
export interface LuaThreadRunOptions {
  /** The most milliseconds that it may take. */
  timeout?: number | undefined;
}
