/** Random programs do in Node what they do natively (tests/programs.rs): output, errors, tracebacks, fuel. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { after, before, test } from "node:test";
import { Lua } from "../src/index.ts";
import { Generator, hashOf, runProgram, type ProgramRow } from "./programs.ts";

const read = (path: string): string => readFileSync(resolve("../tests", path), "utf8");
const rows: ProgramRow[] = JSON.parse(
  process.env.PROGRAMS_FILE === undefined
    ? read("vectors/programs.json")
    : readFileSync(process.env.PROGRAMS_FILE, "utf8"),
);

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
    const { log, fuel } = await runProgram(Lua, program);
    const found: ProgramRow = [row[0], hashOf(program), hashOf(log), fuel];
    if (String(found) === String(row)) continue;
    told.push(`${found}, not ${row}`);
    if (process.env.PROGRAMS_SHOW !== undefined) console.log(`${program}\n--- log\n${log}`);
  }
  assert.deepEqual(told, []);
});
