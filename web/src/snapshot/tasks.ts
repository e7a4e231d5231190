/** Calls that waited when an image was made, and go on in the VM that was restored from it. */
import { LuaClosedError } from "../errors.js";
import type { LuaValue } from "../codec/values.js";
import type { TaskPart } from "./parts.js";

/** A call of `evalAsync` or `callAsync` that waited when the image was made, and goes on. */
export class LuaTask {
  /** Name of what it waits for, as in messages: `'fetch'`, `'async.sleep'`, `'async.all'` (races, too). */
  readonly waitsFor: string;
  readonly #result: Promise<LuaValue>;
  #asked = false;

  /** @internal */
  constructor(waitsFor: string, results: Promise<LuaValue[]>) {
    this.waitsFor = waitsFor;
    this.#result = results.then(([first]) => first);
    this.#result.catch((error: unknown) => {
      // Somebody must hear of it, unless it was closed.
      if (!this.#asked && !(error instanceof LuaClosedError))
        console.error("perilune: a restored call has failed:", error);
    });
  }

  /** Promise of its first result; rejects as that of the call would have. */
  get result(): Promise<LuaValue> {
    this.#asked = true;
    return this.#result;
  }
}

/** Returns the handles of Lua functions in pending waits. */
export function handlesIn(tasks: readonly TaskPart[]): number[] {
  return tasks.flatMap(({ pending }) =>
    pending !== undefined && "start" in pending ? pending.start.map(([, handle]) => handle) : [],
  );
}
