// One step of lib/store-steps.mjs in a process made for it. `node store-child.mjs '{ "step": ..., ... }'`

import { STEPS } from "./store-steps.mjs";

const { step, ...how } = JSON.parse(process.argv[2]);
const answer = await STEPS[step](how).catch((error) => ({ error: String(error?.message ?? error) }));
process.stdout.write(JSON.stringify(answer) + "\n");
// A step that failed may have left something open.
process.exit(0);
