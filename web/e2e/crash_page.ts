/**
 * The page of crash.test.ts: opens the database, says what it found, and goes on writing until its browser is
 * killed.
 *
 * It tells the test by requests: `/opened` with the number of the last eval and what is wrong with the data,
 * `/flushed` with the number of an eval that is committed.
 */
import type * as Perilune from "../src/index.ts";
import { Random } from "../test/random.ts";
import { advance, difference, lastEval, source, type World } from "./crash_program.ts";

const PACKAGE = "/dist/index.js";
const { Lua } = (await import(PACKAGE)) as typeof Perilune;

const round = Number(new URL(location.href).searchParams.get("round"));
const random = new Random(round);

async function tell(what: string, detail: object): Promise<void> {
  await fetch(`/${what}`, { method: "POST", body: JSON.stringify({ round, ...detail }) });
}

async function run(): Promise<void> {
  // The lock of a browser that was killed is gone with it; the memory is for programs with large texts in
  // them.
  const lua = await Lua.create({ storage: "idb://crash", memoryLimit: 2 ** 24 });
  const found = new Map(lua.tables().map((name) => [name, [...lua.table(name)]]));
  let n = lastEval(found);
  const world: World = new Map();
  for (let i = 1; i <= n; i++) advance(world, i);
  await tell("opened", { n, problem: difference(found, world) });

  lua.on("storage-error", (error) => void tell("failed", { message: String(error) }));
  let told: Promise<void> = Promise.resolve();
  for (;;) {
    n += 1;
    try {
      lua.eval(source(n));
    } catch (error) {
      if (!String(error).includes("meant to fail")) throw error;
    }
    const next = random.below(10);
    if (next < 4) {
      await lua.flush();
      // Said at once, heard while the program already goes on.
      await told;
      told = tell("flushed", { n });
    } else if (next < 7) {
      await new Promise((resolve) => setTimeout(resolve));
    }
  }
}

run().catch((error) => tell("failed", { message: String(error?.stack ?? error) }));
