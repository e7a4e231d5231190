/** From a reply's status and error record to the error that is thrown. */
import type { Failure } from "#js/border.js";
import {
  LuaError,
  LuaInterruptError,
  LuaMemoryError,
  LuaRuntimeError,
  LuaStorageError,
  LuaSyntaxError,
  LuaTimeoutError,
  type LuaErrorKind,
} from "./errors.js";
import { readText } from "./utf8.js";
import type { LuaValue } from "./values.js";

/** By status. */
const KINDS: (LuaErrorKind | undefined)[] = [
  undefined,
  "runtime",
  "syntax",
  "memory",
  "timeout",
  "interrupt",
  "storage",
  "value",
  "usage",
];

/** Kinds with a class of their own. */
const CLASSES: Partial<Record<LuaErrorKind, typeof LuaError>> = {
  runtime: LuaRuntimeError,
  syntax: LuaSyntaxError,
  memory: LuaMemoryError,
  timeout: LuaTimeoutError,
  interrupt: LuaInterruptError,
};

/** The error behind a reply. `failure`: what last went wrong at the border. */
export function replyError(status: number, record: readonly LuaValue[], failure: Failure | null): LuaError {
  const [message, traceback, chunk, line, value] = record;
  const text = readText(message) ?? "unknown error";
  const details = {
    traceback: readText(traceback),
    chunk: readText(chunk),
    line: typeof line === "number" ? line : undefined,
    value,
  };
  const kind = KINDS[status] ?? "bug";
  if (kind === "storage")
    return new LuaStorageError(failure?.code ?? "host", text, { ...details, cause: failure?.cause });
  return new (CLASSES[kind] ?? LuaError)(kind, text, details);
}
