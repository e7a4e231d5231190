// Cold starts: every sample from a process or a page of its own, the engines in turn.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { summary } from "./stats.mjs";

const CHILD = fileURLToPath(new URL("./cold-child.mjs", import.meta.url));

/** Measures `rounds` cold starts of each engine. `start(engine)` returns the milliseconds of one. */
export async function coldStarts(engines, start, rounds) {
  const samples = Object.fromEntries(engines.map((engine) => [engine, []]));
  const errors = {};
  // The first round only warms the disk's cache.
  for (let round = -1; round < rounds; round++) {
    for (let i = 0; i < engines.length; i++) {
      const engine = engines[(i + round + 1) % engines.length];
      if (errors[engine]) continue;
      try {
        const ms = await start(engine);
        if (round >= 0) samples[engine].push(ms);
      } catch (error) {
        errors[engine] = error.message;
      }
    }
  }
  const result = (engine) =>
    errors[engine] ? { error: errors[engine] } : { ...summary(samples[engine]), samples: samples[engine] };
  return {
    id: "start/cold",
    title: "cold start: import to first result",
    unit: "ms",
    engines: Object.fromEntries(engines.map((engine) => [engine, result(engine)])),
  };
}

export async function coldNode(engine) {
  const { stdout } = await promisify(execFile)(process.execPath, [CHILD, engine]);
  return JSON.parse(stdout).ms;
}
