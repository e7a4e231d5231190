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
  type LuaErrorDetails,
} from "./errors.js";
import { Status } from "./tags.js";
import { readText } from "./utf8.js";
import type { LuaValue } from "./values.js";

/** Where the parts of a reply are. */
export interface Reply {
  readonly status: number;
  readonly listAt: number;
  readonly listLength: number;
  readonly outputLength: number;
}

/** The error behind a reply. `failure`: what last went wrong at the border. */
export function replyError(status: number, record: readonly LuaValue[], failure: Failure | null): LuaError {
  const [message, traceback, chunk, line, value] = record;
  const text = readText(message) ?? "unknown error";
  const details: LuaErrorDetails = {
    traceback: readText(traceback),
    chunk: readText(chunk),
    line: typeof line === "number" ? line : undefined,
    value,
  };
  switch (status) {
    case Status.runtime:
      return new LuaRuntimeError("runtime", text, details);
    case Status.syntax:
      return new LuaSyntaxError("syntax", text, details);
    case Status.memory:
      return new LuaMemoryError("memory", text, details);
    case Status.timeout:
      return new LuaTimeoutError("timeout", text, details);
    case Status.interrupt:
      return new LuaInterruptError("interrupt", text, details);
    case Status.storage:
      return new LuaStorageError(failure?.code ?? "host", text, { ...details, cause: failure?.cause });
    case Status.value:
      return new LuaError("value", text, details);
    case Status.usage:
      return new LuaError("usage", text, details);
    default:
      return new LuaError("bug", text, details);
  }
}
