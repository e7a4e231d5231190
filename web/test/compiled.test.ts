/**
 * What is compiled does what is interpreted: every golden script, the examples, and random programs, with everything hot
 * at once, short recordings and guards that fail at random.
 *
 * `COMPILED=1-5000 npm test -- compiled` runs the random programs of these seeds; what differs is made smaller and
 * printed.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { after, before, suite, test } from "node:test";
import { clock } from "#js/clock.js";
import { Lua } from "../src/index.ts";
import { difference, look, LOW, randomKnobs, runsOf, see, type Knobs, type Runs } from "./compiled.ts";
import { Generator, shrink } from "./programs.ts";
import { Random } from "./random.ts";

clock.now = look;

const read = (path: string): string => readFileSync(resolve("..", path), "utf8");

async function compare(runs: Runs, all: readonly Knobs[]): Promise<{ functions: number; exits: number; told: string[] }> {
  const interpreted = await see(Lua, runs, null);
  let functions = 0;
  let exits = 0;
  const told: string[] = [];
  for (const knobs of all) {
    const compiled = await see(Lua, runs, knobs);
    functions += compiled.functions;
    exits += compiled.exits;
    const found = difference(interpreted, compiled);
    if (found !== undefined) told.push(`${JSON.stringify(knobs)}: ${found}`);
  }
  return { functions, exits, told };
}

suite("compiled as interpreted", () => {
  const golden = readdirSync(resolve("../tests/golden"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".lua"))
    .sort();
  let compiled = 0;
  for (const name of golden) {
    test(`golden ${name}`, async () => {
      // With the memory of a golden script, and room for what the compiler itself needs.
      const options = { memoryLimit: 2 << 20, fuel: Infinity };
      const { functions, told } = await compare({ source: read(`tests/golden/${name}`), times: 3, name: "golden", options }, LOW);
      compiled += functions;
      assert.deepEqual(told, []);
    });
  }
  test("golden scripts were compiled", () => assert.ok(compiled > 500, `${compiled} functions`));

  for (const name of readdirSync(resolve("../examples")).filter((file) => file.endsWith(".lua"))) {
    test(`example ${name}`, async () => {
      const { functions, told } = await compare({ source: read(`examples/${name}`), times: 5, name }, LOW);
      assert.deepEqual(told, []);
      assert.ok(functions > 0, "was compiled");
    });
  }

  for (const name of readdirSync(resolve("../bench/workloads")).filter((file) => file.endsWith(".lua"))) {
    test(`workload ${name}`, async () => {
      const runs: Runs = { first: read(`bench/workloads/${name}`), source: "print(bench(200))", times: 2, name };
      const { functions, told } = await compare({ ...runs, options: { fuel: Infinity } }, LOW);
      assert.deepEqual(told, []);
      assert.ok(functions > 0, "was compiled");
    });
  }

  let generator: Generator;
  before(async () => {
    generator = await Generator.make(Lua, read("tests/programs/generate.lua"), read("tests/programs/frame.lua"));
  });
  after(() => generator.close());

  test("random programs", async () => {
    const [first = 1, last = first] = (process.env.COMPILED ?? "1-60").split("-").map(Number);
    let [functions, exits] = [0, 0];
    const told: string[] = [];
    for (let seed = first; seed <= last; seed++) {
      const random = new Random(seed);
      const program = generator.program(seed);
      const knobs = randomKnobs(random);
      // Some end where their fuel does, which may be in the middle of compiled code.
      const options = random.below(4) === 0 ? { fuel: 1000 + random.below(100_000) } : {};
      const found = await compare(runsOf(program, options), [knobs]);
      functions += found.functions;
      exits += found.exits;
      if (found.told.length === 0) continue;
      const small = await shrink(program, async (smaller) => (await compare(runsOf(smaller, options), [knobs])).told.length > 0);
      const { told: after } = await compare(runsOf(small, options), [knobs]);
      console.log(`seed ${seed} ${JSON.stringify(options)} ${after}\n${small}`);
      told.push(`seed ${seed}: ${found.told}`);
    }
    assert.deepEqual(told, []);
    assert.ok(functions > last - first, `${functions} functions`);
    assert.ok(exits > last - first, `${exits} exits`);
  });
});
