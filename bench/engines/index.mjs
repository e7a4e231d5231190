// Engines by name. `native` is no JavaScript: lib/native.mjs runs it.
//
// Each has create(), which resolves to the same few methods:
//   eval(code)              the first result
//   evalAsync(code)         resolves when the chunk has ended; missing where Lua cannot wait for promises
//   awaited(call)           with evalAsync: the Lua that waits for the promise of the expression `call`
//   global(name)            a global; a function of Lua as one of JavaScript
//   setGlobal(name, value)  arrays and objects become tables
//   table(value)            what to pass to a function of Lua so that it gets a table
//   register(name, fn)      a global that is a function of JavaScript; it gets copies of tables
//   close()

import * as fengari from "./fengari.mjs";
import { base, perilune } from "./perilune.mjs";
import * as wasmoon from "./wasmoon.mjs";

export const ENGINES = { perilune, base, wasmoon, fengari };

/** Builds of Perilune among them: measures of what only Perilune has are taken of each. */
export const BUILDS = { perilune, base };
