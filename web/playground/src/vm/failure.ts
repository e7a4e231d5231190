/** Errors as plain data. */
import { LuaError, LuaImageError, LuaStorageError } from "perilune";
import type { Failure, Shown } from "../protocol.ts";

/** Chunk name of a program. */
export const PROGRAM = "program";

/** Chunk name of describe.lua, which calls the program. */
export const HELPER = "=perilune-demo";

/** Converts an error for the page; `describe` converts error values. */
export function toFailure(error: unknown, describe: (value: unknown) => Shown | undefined): Failure {
  if (!(error instanceof LuaError)) {
    const { name = "Error", message = String(error) } = (error ?? {}) as Partial<Error>;
    return { name, kind: "page", code: undefined, message, line: undefined, traceback: undefined, value: undefined };
  }
  return {
    name: error.name,
    kind: error.kind,
    code: error instanceof LuaStorageError || error instanceof LuaImageError ? error.code : undefined,
    message: error.message,
    // An error that was raised elsewhere, in a chunk made by load(), has no line in the program.
    line: error.chunk === PROGRAM ? error.line : undefined,
    traceback: error.traceback === undefined ? undefined : ownFrames(error.traceback),
    value: typeof error.value === "string" || error.value === undefined ? undefined : describe(error.value),
  };
}

/** The traceback without the frames of describe.lua, as if the program had been called from nowhere. */
function ownFrames(traceback: string): string {
  const lines = traceback.split("\n");
  const helper = lines.findIndex((line) => line.includes(HELPER));
  if (helper < 0) return traceback;
  const own = lines.slice(0, helper);
  const main = own.at(-1)?.replace(/ in (local 'chunk'|function <program:0>)$/, " in main chunk");
  return [...own.slice(0, -1), main].join("\n");
}
