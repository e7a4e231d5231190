/** Random programs do in Node what they do natively (tests/programs.rs): output, errors, tracebacks, fuel. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { after, before, test } from "node:test";
import { Lua } from "../src/index.ts";
import { Generator, hashOf, OPTIONS, runProgram, type ProgramRow } from "./programs.ts";

const read = (path: string): string => readFileSync(resolve("../tests", path), "utf8");
const rows: ProgramRow[] = JSON.parse(
  process.env.PROGRAMS_FILE === undefined
    ? read("vectors/programs.json")
    : readFileSync(process.env.PROGRAMS_FILE, "utf8"),
);

/** Options without the compiler, which is compared with this elsewhere (compiled.test.ts). */
const INTERPRETED = { jit: false };

let generator: Generator;
before(async () => {
  generator = await Generator.make(Lua, read("programs/generate.lua"), read("programs/frame.lua"));
});
after(() => generator.close());

test("random programs do what they do natively", async () => {
  assert.ok(rows.length > 0, "programs");
  const told: string[] = [];
  for (const row of rows) {
    const program = generator.program(row[0]);
    const { log, fuel } = await runProgram(Lua, program, INTERPRETED);
    const found: ProgramRow = [row[0], hashOf(program), hashOf(log), fuel];
    if (String(found) === String(row)) continue;
    told.push(`${found}, not ${row}`);
    if (process.env.PROGRAMS_SHOW !== undefined) console.log(`${program}\n--- log\n${log}`);
  }
  assert.deepEqual(told, []);
});

test("golden scripts and examples use the fuel that they use natively", async () => {
  const expected: Record<string, number> = JSON.parse(read("vectors/fuel.json"));
  const found: Record<string, number> = {};
  for (const path of Object.keys(expected)) {
    const lua = await Lua.create({ ...OPTIONS, ...INTERPRETED, stdout: () => {}, fuel: Infinity });
    // Some fail on purpose.
    lua.tryEval(readFileSync(resolve("..", path), "utf8"), { name: "golden" });
    found[path] = lua.stats().fuelUsed;
    await lua.close();
  }
  assert.deepEqual(found, expected);
});
