/**
 * The errors of the package: one class to catch, subclasses by who must act.
 *
 * Misuse by the caller (not a string, an unknown option, a value that has no place in Lua) is a TypeError or
 * a RangeError, as everywhere in JavaScript; what happens at run time is a `LuaError`.
 */
import { originalOf } from "#js/storage/store_error.js";

/** Kind of an error; `Error::code` has the same words in Rust. */
export type LuaErrorKind =
  | "runtime"
  | "syntax"
  | "memory"
  | "timeout"
  | "interrupt"
  | "exit"
  | "storage"
  | "value"
  | "usage"
  | "closed"
  | "bug"
  | "image";

/** Details of an error beside its message. */
export interface LuaErrorDetails {
  /** Lua's stack traceback. */
  traceback?: string | undefined;
  /** The chunk in which it happened, as given by `name`. */
  chunk?: string | undefined;
  /** The line in that chunk. */
  line?: number | undefined;
  /** The Lua value that was raised: `error({ code = 42 })` gives `{ code: 42 }`. */
  value?: unknown;
  /** The JavaScript error behind it. */
  cause?: unknown;
}

/** An error that Lua or Perilune reports. */
export class LuaError extends Error {
  /** Kind of the error. */
  readonly kind: LuaErrorKind;
  /** Lua's stack traceback. */
  readonly traceback: string | undefined;
  /** The chunk in which it happened. */
  readonly chunk: string | undefined;
  /** The line in that chunk. */
  readonly line: number | undefined;
  /** The Lua value that was raised. */
  readonly value: unknown;
  /** Errors of `run()` and `runAsync()`: what the program wrote before it failed. */
  declare output?: string;

  constructor(kind: LuaErrorKind, message: string, details: LuaErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.kind = kind;
    this.traceback = details.traceback;
    this.chunk = details.chunk;
    this.line = details.line;
    this.value = details.value;
  }

  static {
    // On the prototype, like the built-in errors: not an own property that every console prints again.
    named(this, "LuaError");
  }
}

/** The source does not compile. */
export class LuaSyntaxError extends LuaError {
  /** True for a source that ends before what it has begun: more lines may complete it. */
  readonly incomplete: boolean;
  /**
   * The token at which the compiler gave up, as it stands in the source; undefined at the end, and where none
   * is meant.
   */
  readonly token: string | undefined;

  constructor(kind: LuaErrorKind, message: string, details: LuaErrorDetails = {}) {
    super(kind, message, details);
    this.incomplete = message.endsWith("near <eof>");
    // A name of a chunk may be anything.
    this.token = / near '([^]*)'$/.exec(message.slice(details.chunk?.length))?.[1];
  }

  static {
    named(this, "LuaSyntaxError");
  }
}

/** The program raised an error. */
export class LuaRuntimeError extends LuaError {
  static {
    named(this, "LuaRuntimeError");
  }
}

/** The memory limit was reached. The VM is still usable. */
export class LuaMemoryError extends LuaError {
  static {
    named(this, "LuaMemoryError");
  }
}

/** The program has used up its time or its fuel. Nothing in it can catch that. */
export class LuaTimeoutError extends LuaError {
  /** Limit that was exceeded. */
  readonly reason: "timeout" | "fuel";

  constructor(kind: LuaErrorKind, message: string, details: LuaErrorDetails = {}) {
    super(kind, message, details);
    this.reason = details.value === "fuel" ? "fuel" : "timeout";
  }

  static {
    named(this, "LuaTimeoutError");
  }
}

/** The program was interrupted. Nothing in it can catch that. */
export class LuaInterruptError extends LuaError {
  static {
    named(this, "LuaInterruptError");
  }
}

/** The program has ended itself (`os.exit`). Nothing in it can catch that; the VM is still usable. */
export class LuaExitError extends LuaError {
  /** Exit code: 0 for success. */
  readonly code: number;

  constructor(kind: LuaErrorKind, message: string, details: LuaErrorDetails = {}) {
    super(kind, message, details);
    this.code = Number(details.value);
  }

  static {
    named(this, "LuaExitError");
  }
}

/** The storage, or an external table, refused. */
export class LuaStorageError extends LuaError {
  /**
   * Reason, for programs: `locked` (open in another tab), `unavailable`, `name`, `newer`, `older`, `foreign`,
   * `corrupt`, `quota`, `reset`, `closed`, `read-only`, `too-large`, `host`.
   */
  readonly code: string;

  constructor(code: string, message: string, details: LuaErrorDetails = {}) {
    super("storage", message, details);
    this.code = code;
  }

  static {
    named(this, "LuaStorageError");
  }
}

/** An image was given that this module cannot restore. Nothing was changed. */
export class LuaImageError extends LuaError {
  /**
   * Reason, for programs: `foreign` (no image), `newer` (of a later format), `build` (of another build of the
   * wasm module), `corrupt` (damaged), `died` (a VM in storage that has died since).
   */
  readonly code: string;

  constructor(code: string, message: string, details: LuaErrorDetails = {}) {
    super("image", message, details);
    this.code = code;
  }

  static {
    named(this, "LuaImageError");
  }
}

/** The `Lua`, or the function, was closed. */
export class LuaClosedError extends LuaError {
  constructor(message = "this Lua is closed") {
    super("closed", message);
  }

  static {
    named(this, "LuaClosedError");
  }
}

/** Turns an error of a store (an Error with a `code`) into the package's own; its cause is the original. */
export function storageError(cause: unknown): LuaStorageError {
  if (cause instanceof LuaStorageError) return cause;
  const { code, message } = (cause ?? {}) as { code?: unknown; message?: unknown };
  const details = { cause: originalOf(cause) };
  return new LuaStorageError(typeof code === "string" ? code : "host", String(message ?? cause), details);
}

function named(errorClass: { prototype: object }, name: string): void {
  const descriptor = { value: name, configurable: true, writable: true };
  Object.defineProperty(errorClass.prototype, "name", descriptor);
  // The class's own name, which the minifier has taken.
  Object.defineProperty(errorClass, "name", descriptor);
}
