/**
 * The one error of the capsule, and its kinds.
 *
 * Everything that a call of the capsule can say is one of these, misuse too: who catches looks at `kind`, and
 * at nothing else.
 */
import {
  LuaError,
  LuaInterruptError,
  LuaMemoryError,
  LuaRuntimeError,
  LuaSyntaxError,
  LuaTimeoutError,
} from "../errors.js";
import { isError, isMap } from "../brands.js";
import { readText } from "../codec/utf8.js";

/** Kind of an error: what a program can do about it. The words are the same in Rust and in Lua. */
export type CapsuleErrorKind =
  | "sql"
  | "constraint"
  | "schema"
  | "full"
  | "corrupt"
  | "locked"
  | "unsupported"
  | "veto"
  | "lua"
  | "timeout"
  | "limit"
  | "sync"
  | "usage"
  | "closed"
  | "bug";

const KINDS: readonly string[] = [
  "sql",
  "constraint",
  "schema",
  "full",
  "corrupt",
  "locked",
  "unsupported",
  "veto",
  "lua",
  "timeout",
  "limit",
  "sync",
  "usage",
  "closed",
  "bug",
] satisfies CapsuleErrorKind[];

/** Details of an error beside its kind and its message. */
export interface CapsuleErrorDetails {
  /** Name that SQLite has for the failure: `"SQLITE_CONSTRAINT_UNIQUE"`. */
  code?: string | undefined;
  /** Statement that failed. */
  sql?: string | undefined;
  /** Place in `sql` at which SQLite gave up, in bytes of UTF-8. */
  offset?: number | undefined;
  /** Table that it is about. */
  table?: string | undefined;
  /** Error behind it: of a script, or of JavaScript. */
  cause?: unknown;
}

/** Mark of the errors, the same in every realm and in every copy of this file. */
const BRAND = Symbol.for("perilune.CapsuleError");

/** An error of a capsule. */
export class CapsuleError extends Error {
  /** Kind of the error. */
  readonly kind: CapsuleErrorKind;
  /** Name that SQLite has for the failure, where it was SQLite: `"SQLITE_CONSTRAINT_UNIQUE"`. */
  readonly code: string | undefined;
  /** Statement that failed. */
  readonly sql: string | undefined;
  /** Place in `sql` at which SQLite gave up, in bytes of UTF-8. */
  readonly offset: number | undefined;
  /** Table that it is about, where that is known. */
  readonly table: string | undefined;

  constructor(kind: CapsuleErrorKind, message: string, details: CapsuleErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.kind = kind;
    this.code = details.code;
    this.sql = details.sql;
    this.offset = details.offset;
    this.table = details.table ?? tableIn(message);
  }

  /** True if the same call may succeed later: somebody else has the database now. */
  get retryable(): boolean {
    return this.kind === "locked";
  }

  /** Recognises errors of other realms, and of other copies of the package, too. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return isCapsuleError(value);
  }

  static {
    const descriptor = { value: "CapsuleError", configurable: true, writable: true };
    Object.defineProperty(this.prototype, "name", descriptor);
    // The class's own name, which the minifier has taken.
    Object.defineProperty(this, "name", descriptor);
    Object.defineProperty(this.prototype, BRAND, { value: true });
  }
}

/** Says whether it is an error of a capsule, of this realm or another. */
export function isCapsuleError(value: unknown): value is CapsuleError {
  return typeof value === "object" && value !== null && (value as { [BRAND]?: unknown })[BRAND] === true;
}

/** Makes the error of a call that cannot be right, whatever the database holds. */
export function usageError(message: string, details?: CapsuleErrorDetails): CapsuleError {
  return new CapsuleError("usage", message, details);
}

/** Makes the error of a call after `close()`. */
export function closedError(): CapsuleError {
  return new CapsuleError("closed", "this capsule is closed");
}

/**
 * Error of a call that VM or module have ended, as one of the capsule. `table`: the one that it was about.
 */
export function fromLua(error: unknown, table?: string): unknown {
  if (!(error instanceof LuaError)) return error;
  const known = ownError(error);
  if (known !== undefined) return known;
  return new CapsuleError(kindOf(error), error.message, { cause: error, table });
}

/** Failure as the module describes it: fields of docs/codec.md, section 7. */
export function fromFailure(value: unknown, table?: string): CapsuleError {
  const { kind, message, code, sql, offset, cause } = fieldsOf(value);
  return new CapsuleError(isKind(kind) ? kind : "bug", readText(message) ?? "an unknown failure", {
    code: readText(code),
    sql: readText(sql),
    offset: typeof offset === "number" ? offset : undefined,
    table,
    cause: cause === undefined ? undefined : scriptError(cause),
  });
}

/** Turns anything that was thrown into an error. */
export function errorOf(thrown: unknown): Error {
  return isError(thrown) ? thrown : new Error(String(thrown), { cause: thrown });
}

/** Error of the capsule that a script has let pass: in Lua it is a table. */
function ownError(error: LuaError): CapsuleError | undefined {
  if (error.kind !== "runtime") return undefined;
  if (isCapsuleError(error.cause)) return error.cause;
  const { kind, message, code, sql } = fieldsOf(error.value);
  const text = readText(message);
  if (!isKind(kind) || text === undefined) return undefined;
  return new CapsuleError(kind, text, { code: readText(code), sql: readText(sql), cause: error });
}

function kindOf({ kind }: LuaError): CapsuleErrorKind {
  switch (kind) {
    case "timeout":
    case "interrupt":
      return "timeout";
    case "memory":
      return "limit";
    case "closed":
    case "usage":
    case "bug":
      return kind;
    default:
      return "lua";
  }
}

/** Error of a script that the module describes. */
function scriptError(cause: unknown): LuaError {
  const { kind, message, traceback, chunk, line, value } = fieldsOf(cause);
  const details = {
    traceback: readText(traceback),
    chunk: readText(chunk),
    line: typeof line === "number" ? line : undefined,
    value,
  };
  const text = readText(message) ?? "an unknown error";
  switch (kind) {
    case "syntax":
      return new LuaSyntaxError(kind, text, details);
    case "memory":
      return new LuaMemoryError(kind, text, details);
    case "timeout":
      return new LuaTimeoutError(kind, text, details);
    case "interrupt":
      return new LuaInterruptError(kind, text, details);
    default:
      return new LuaRuntimeError("runtime", text, details);
  }
}

function fieldsOf(value: unknown): { readonly [name: string]: unknown } {
  if (typeof value !== "object" || value === null) return {};
  return (isMap(value) ? Object.fromEntries(value as Map<string, unknown>) : value) as { [name: string]: unknown };
}

function isKind(kind: unknown): kind is CapsuleErrorKind {
  return typeof kind === "string" && KINDS.includes(kind);
}

/** Table that SQLite's message names. */
function tableIn(message: string): string | undefined {
  return /\bno such table: (?:main\.)?(\S+)|\bconstraint failed: ([^\s.,]+)\./.exec(message)?.slice(1).find(Boolean);
}
