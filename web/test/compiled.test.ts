/**
 * Compiled functions do what interpreted ones do: in every golden script, the examples, and random programs,
 * with everything hot at once, short recordings and guards that fail at random.
 *
 * `COMPILED=1-5000 npm test -- compiled.test` runs the random programs of these seeds; what differs is made
 * smaller and printed.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { after, before, suite, test } from "node:test";
import { clock } from "#js/clock.js";
import { Lua } from "../src/index.ts";
import { compare, compareProgram, FUEL_VARIES, look, LOW, type Runs } from "./compiled.ts";
import { Generator } from "./programs.ts";

clock.now = look;

const read = (path: string): string => readFileSync(resolve("..", path), "utf8");

suite("compiled as interpreted", () => {
  const golden = readdirSync(resolve("../tests/golden"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".lua"))
    .sort();
  let compiled = 0;
  for (const name of golden) {
    test(`golden ${name}`, async () => {
      // With memory for what the compiler needs itself; one script is about having no more than the default.
      const options = { memoryLimit: name === "sandbox/memory-limit.lua" ? 2 << 20 : 16 << 20, fuel: Infinity };
      const fuelVaries = FUEL_VARIES.includes(name);
      const runs = { source: read(`tests/golden/${name}`), times: 3, name: "golden", fuelVaries, options };
      const { functions, told } = await compare(Lua, runs, LOW);
      compiled += functions;
      assert.deepEqual(told, []);
    });
  }
  test("golden scripts were compiled", () => assert.ok(compiled > 500, `${compiled} functions`));

  for (const name of readdirSync(resolve("../examples")).filter((file) => file.endsWith(".lua"))) {
    test(`example ${name}`, async () => {
      const { functions, told } = await compare(Lua, { source: read(`examples/${name}`), times: 5, name }, LOW);
      assert.deepEqual(told, []);
      assert.ok(functions > 0, "was compiled");
    });
  }

  for (const name of readdirSync(resolve("../bench/workloads")).filter((file) => file.endsWith(".lua"))) {
    test(`workload ${name}`, async () => {
      const runs: Runs = { first: read(`bench/workloads/${name}`), source: "print(bench(3))", times: 2, name };
      const { functions, told } = await compare(Lua, { ...runs, options: { fuel: Infinity } }, LOW);
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
      const compared = await compareProgram(Lua, generator, seed);
      functions += compared.functions;
      exits += compared.exits;
      told.push(...compared.told);
    }
    assert.deepEqual(told, []);
    assert.ok(functions > last - first, `${functions} functions`);
    assert.ok(exits > last - first, `${exits} exits`);
  });
});
