// All measures of the capsule. Each has sides, which take turns in one process; the side `peer` is what the
// others are divided by. A side is opened once, and gives samples: `value` in ms, and `check`, which all
// sides must have alike.
import { FOLLOWING } from "./following.mjs";
import { INSERTS } from "./inserts.mjs";
import { LUA } from "./lua.mjs";
import { OPENING } from "./opening.mjs";
import { STATEMENTS } from "./statements.mjs";

export const MEASURES = [...INSERTS, ...FOLLOWING, ...LUA, ...OPENING, ...STATEMENTS];
