// The engines by name. `native` is no JavaScript: lib/native.mjs runs it.

import * as fengari from "./fengari.mjs";
import * as perilune from "./perilune.mjs";
import * as wasmoon from "./wasmoon.mjs";

export const ENGINES = { perilune, wasmoon, fengari };
