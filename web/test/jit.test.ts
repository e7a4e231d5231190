/**
 * Hot functions as compiled WebAssembly: golden scripts and workloads do the same with it as without, with
 * everything hot at once, and with guards that fail at random.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";
import { Lua, LuaError } from "../src/index.ts";
import type { JitKnobs } from "../src/options.ts";

/** Knobs with which functions are compiled from the first sample on, from short recordings. */
const EAGER: JitKnobs = { threshold: 1, length: 64, exitSeed: 0 };
/** The same, and one guard of 64 fails. A seed found a tail call whose frame was taken for another one. */
const FAILING: JitKnobs[] = [777, 5].map((exitSeed) => ({ threshold: 1, length: 32, exitSeed }));

/** A VM with these knobs, and no differences but those. */
function create(jit: boolean | JitKnobs): Promise<Lua> {
  return Lua.create({
    seed: 1,
    memoryLimit: 16 << 20,
    timeout: 600_000,
    now: () => 1e12,
    stderr: () => {},
    jit: jit as boolean,
  });
}

/** Output of a script, several times in one VM: short ones become hot, too. */
async function outputs(source: string, jit: boolean | JitKnobs, times: number): Promise<[string, number]> {
  await using lua = await create(jit);
  let text = "";
  for (let time = 0; time < times; time++) {
    try {
      const { output, values } = lua.run(source);
      text += `${output}${values.length}\n`;
    } catch (error) {
      assert.ok(error instanceof LuaError, String(error));
      text += `${error.output ?? ""}${error.message}\n${error.traceback ?? ""}\n`;
    }
  }
  return [text.replace(/0x[0-9a-f]+/g, "0x"), lua.stats().jit.functions];
}

const golden = resolve("../tests/golden");
const scripts = readdirSync(golden, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".lua"))
  // Its output is how much memory is left.
  .filter((name) => !name.endsWith("memory-limit.lua"))
  .sort();

for (const [index, knobs] of [EAGER, ...FAILING].entries()) {
  test(`golden scripts, compiled from ${knobs.length} instructions, exits by seed ${knobs.exitSeed}`, async () => {
    let functions = 0;
    for (const name of scripts) {
      const source = readFileSync(resolve(golden, name), "utf8");
      const times = index === 0 ? 6 : 12;
      const [expected] = await outputs(source, false, times);
      const [actual, compiled] = await outputs(source, knobs, times);
      assert.equal(actual, expected, name);
      functions += compiled;
    }
    assert.ok(functions > 100, `${functions} functions were compiled`);
  });
}

const workloads = resolve("../bench/workloads");

test("workloads: the same results and fuel", async () => {
  for (const name of readdirSync(workloads).filter((file) => file.endsWith(".lua"))) {
    const source = readFileSync(resolve(workloads, name), "utf8");
    const units = Math.ceil(Number(/units: (\d+)/.exec(source)?.[1]) / 20);
    const ran = async (jit: boolean | JitKnobs) => {
      await using lua = await create(jit);
      lua.eval(source);
      const replies = Array.from({ length: 4 }, () => lua.run(`return bench(${units})`));
      return { values: replies.map(({ values }) => values[0]), fuel: replies.map(({ fuel }) => fuel) };
    };
    const expected = await ran(false);
    for (const knobs of [EAGER, ...FAILING]) {
      const actual = await ran(knobs);
      assert.deepEqual(actual.values, expected.values, name);
      for (const [index, fuel] of actual.fuel.entries()) {
        // A step of the collector uses a tick, and frames that are made later move its moments.
        const allowed = 8 + (expected.fuel[index] ?? 0) / 1000;
        assert.ok(
          Math.abs(fuel - (expected.fuel[index] ?? 0)) <= allowed,
          `${name}: ${fuel}, not ${expected.fuel[index]}`,
        );
      }
    }
  }
});

test("a function that is compiled many times stays what it was", async () => {
  await using lua = await create({ threshold: 1, length: 16, exitSeed: 0 });
  // Each time other types: what was guarded fails again and again.
  const sum = lua.eval(`
    local function add(list)
      local sum = 0
      for i = 1, #list do sum = sum + list[i] end
      return sum
    end
    local kinds = { {}, {}, {} }
    for i = 1, 500 do kinds[1][i] = i; kinds[2][i] = i + 0.5; kinds[3][i] = tostring(i) end
    local total = 0
    for round = 1, 600 do total = total + add(kinds[round % 3 + 1]) end
    return total`);
  assert.equal(sum, 200 * (125250 + 125500 + 125250));
  assert.ok(lua.stats().jit.modules <= 64);
});

test("deep recursion through compiled functions ends as it does without", async () => {
  const source = `
    local function down(n) if n == 0 then return 0 end return 1 + down(n - 1) end
    for _ = 1, 200 do down(100) end
    local function endless(n) return 1 + endless(n + 1) end
    return down(15000), select(2, pcall(endless, 1)):match("stack overflow")`;
  const [plain, eager] = await Promise.all([create(false), create(EAGER)]);
  assert.deepEqual(eager.run(source).values, plain.run(source).values);
  plain.close();
  eager.close();
});
