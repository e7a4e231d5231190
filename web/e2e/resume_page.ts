/**
 * The page of resume.test.ts that is killed: goes on with its VM, says what it found, and keeps it busy until
 * its browser is killed.
 *
 * It tells the test by requests: `/opened` with how far the program had got, whether it began anew, and what
 * the VM and its tables do not agree on; `/flushed` with how far it is committed.
 */
import type * as Perilune from "../src/index.ts";
import { Random } from "../test/random.ts";
import { PROGRAM } from "../test/resume_program.ts";

const PACKAGE = "/dist/index.js";
const { Lua } = (await import(PACKAGE)) as typeof Perilune;

const round = Number(new URL(location.href).searchParams.get("round"));
const random = new Random(round);

async function tell(what: string, detail: object): Promise<void> {
  await fetch(`/${what}`, { method: "POST", body: JSON.stringify({ round, ...detail }) });
}

async function run(): Promise<void> {
  const lua: Perilune.Lua = await Lua.create({
    storage: "idb://resume",
    resume: true,
    memoryLimit: 2 ** 23,
    functions: { note: (name: string, n: number) => void lua.table("js").set(name, n) },
    boot: (lua) => {
      lua.eval(`${PROGRAM} big = {} for i = 1, 20000 do big[i] = i * 1.1 end`);
      for (const code of ["ticking('tick', 3)", "together()"]) void lua.evalAsync(code);
    },
  });
  const n = lua.call<number>("reached");
  await tell("opened", { n, tasks: lua.restored?.tasks.length, problem: lua.eval("return disagreement()") });
  lua.on("storage-error", (error) => void tell("failed", { message: String(error) }));
  let told: Promise<void> = Promise.resolve();
  for (;;) {
    for (let i = random.below(20); i >= 0; i--) {
      const next = random.below(10);
      if (next < 6) lua.call("step");
      else if (next < 7) lua.eval("fill()");
      else if (next < 8) lua.tryEval("fail()");
      else if (next < 9) lua.eval("noted()");
      else lua.eval("rollBack()");
    }
    const next = random.below(10);
    if (next < 3) {
      const n = lua.call<number>("reached");
      await lua.flush();
      // Said at once, heard while the program already goes on.
      await told;
      told = tell("flushed", { n });
    } else {
      await new Promise((resolve) => setTimeout(resolve, random.below(8)));
    }
  }
}

run().catch((error) => tell("failed", { message: String(error?.stack ?? error) }));
