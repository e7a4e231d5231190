/** Errors of replies: from status and error record to the error that is thrown. */
import type { Failure } from "#js/imports.js";
import { originalOf } from "#js/storage/store_error.js";
import {
  LuaError,
  LuaExitError,
  LuaInterruptError,
  LuaMemoryError,
  LuaRuntimeError,
  LuaStorageError,
  LuaSyntaxError,
  LuaTimeoutError,
  type LuaErrorKind,
} from "../errors.js";
import type { Reply } from "./io_buffer.js";
import { readText } from "../codec/utf8.js";
import { Status } from "../codec/tags.js";
import type { LuaValue } from "../codec/values.js";

/** Kinds by status. */
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
  "bug",
  undefined,
  "exit",
];

/** Classes of kinds that have their own. */
const CLASSES: Partial<Record<LuaErrorKind, typeof LuaError>> = {
  runtime: LuaRuntimeError,
  syntax: LuaSyntaxError,
  memory: LuaMemoryError,
  timeout: LuaTimeoutError,
  interrupt: LuaInterruptError,
  exit: LuaExitError,
};

/** Errors that one VM has raised, as far as they may come by again. */
export class RaisedErrors {
  /**
   * Errors of this VM, each with an object that stands for the Lua value behind it: the same value, the same
   * object.
   */
  readonly #identities = new WeakMap<object, object>();
  /** Last error of the outermost call that runs. */
  #last: { number: LuaValue; identity: object; error: LuaError } | undefined;

  /** Begins an outermost call: the numbers of the one before mean nothing any more. */
  begin(): void {
    this.#last = undefined;
  }

  /** Says whether it is an error of this VM. */
  has(error: unknown): boolean {
    return this.#identities.has(error as object);
  }

  /** Says whether the module still has the value behind it. */
  isLast(error: unknown): boolean {
    return this.#last !== undefined && this.#identities.get(error as object) === this.#last.identity;
  }

  /** Makes the error of a reply. `failure`: what last went wrong in a host import. */
  make({ status, list, hosted }: Reply, failure: Failure | null): LuaError {
    const [message, traceback, chunk, line, value, number] = list;
    const again = number !== undefined && this.#last?.number === number ? this.#last : undefined;
    // What storage refused stays that on its way through host functions, where the module sees a value like
    // any other.
    const kind = again?.error instanceof LuaStorageError ? "storage" : (KINDS[status] ?? "bug");
    const details = {
      traceback: readText(traceback),
      chunk: readText(chunk),
      line: typeof line === "number" ? line : undefined,
      value,
      // The host object itself, or the error by which JavaScript met it before.
      cause: hosted ? value : (again?.error ?? (kind === "storage" ? originalOf(failure?.cause) : undefined)),
    };
    const text = readText(message) ?? (status === Status.memory ? "not enough memory" : "unknown error");
    const error =
      kind === "storage"
        ? new LuaStorageError(failure?.code ?? codeOf(again?.error), text, details)
        : new (CLASSES[kind] ?? LuaError)(kind, text, details);
    const identity = again?.identity ?? {};
    this.#identities.set(error, identity);
    if (number !== undefined) this.#last = { number, identity, error };
    return error;
  }
}

function codeOf(error: LuaError | undefined): string {
  return error instanceof LuaStorageError ? error.code : "host";
}
