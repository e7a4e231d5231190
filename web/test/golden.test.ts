/** The golden scripts (tests/golden/README.md) in the module as it ships: the same output as natively. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";
import { Lua, LuaError } from "../src/index.ts";

const folder = resolve("../tests/golden");
const scripts = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".lua"))
  .sort();

test("the golden scripts are there", () => assert.ok(scripts.length > 100, `${scripts.length} scripts`));

for (const name of scripts) {
  test(name, async () => {
    const source = readFileSync(resolve(folder, name), "utf8");
    const expected = header(source);
    let output = "";
    await using lua = await Lua.create({ stdout: (text) => (output += text), stderr: () => {} });
    const ended = lua.tryEval(source, { name: "golden" });
    assert.equal(output, expected.output);
    if (expected.failure === null) assert.equal(ended.ok ? "" : ended.error.message, "");
    else {
      assert.ok(!ended.ok && ended.error instanceof LuaError, "it must fail");
      assert.ok(ended.error.message.includes(expected.failure), ended.error.message);
    }
  });
}

function header(source: string): { failure: string | null; output: string } {
  const lines = source.split("\n");
  const first = lines[0] ?? "";
  const end = lines.indexOf("---");
  assert.ok(end > 0, "the header has no end");
  const output = lines
    .slice(1, end)
    .map((line) => `${line.slice(4)}\n`)
    .join("");
  return { failure: first.startsWith("--- fail: ") ? first.slice(10) : null, output };
}
