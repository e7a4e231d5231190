// One step of lib/keeping.mjs in a process made for it. `node keep-child.mjs '{ "step": ..., ... }'`

import { STEPS } from "./keeping.mjs";

const { step, ...how } = JSON.parse(process.argv[2]);
const answer = await STEPS[step](how).catch((error) => ({ error: String(error?.message ?? error) }));
process.stdout.write(JSON.stringify(answer) + "\n");
// A step that failed may have left something open.
process.exit(0);
