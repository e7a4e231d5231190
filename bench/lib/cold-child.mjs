// A cold start, in a process made for it: from import to the first result. `node cold-child.mjs ENGINE`

import { ENGINES } from "../engines/index.mjs";

const start = performance.now();
const lua = await ENGINES[process.argv[2]].create();
const value = lua.eval("return 1 + 1");
const ms = performance.now() - start;
process.stdout.write(JSON.stringify({ ms, check: String(value) }) + "\n");
// Not by running out of work: an engine may keep handles open, and how it ends is no part of its start.
process.exit(0);
