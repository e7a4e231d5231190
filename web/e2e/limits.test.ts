/** Tests in Chromium that endless programs end, and use as much fuel as everywhere. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { after, before, test } from "node:test";
import { setUp, type Setup } from "./browser.ts";

const rows: { name: string; lua: string; fuel?: number }[] = JSON.parse(
  readFileSync(resolve("../tests/vectors/escapes.json"), "utf8"),
);

let setup: Setup;
before(async () => {
  setup = await setUp();
});
after(() => setup.close());

test("nothing escapes its time or its fuel", async () => {
  const page = await setup.open("/", () => {
    // Before the package is there: it keeps the clock that it finds.
    const { now } = performance;
    performance.now = () => (globalThis.looks === undefined ? now.call(performance) : (globalThis.looks += 1));
  });
  const told = await page.evaluate(async (rows) => {
    const told: string[] = [];
    for (const { name, lua: code, fuel } of rows) {
      for (const limit of [{ timeout: 50 }, { fuel: 100_000, timeout: Infinity }]) {
        const lua = await perilune.Lua.create({ memoryLimit: 16 << 20 });
        // Each look at the clock takes a millisecond.
        globalThis.looks = 0;
        const result = lua.tryEval(code, limit);
        const { looks } = globalThis;
        globalThis.looks = undefined;
        const word = "fuel" in limit ? "fuel" : "timeout";
        const reason = result.ok ? "ok" : String((result.error as { reason?: string }).reason ?? result.error);
        if (reason !== word && !(result.ok && fuel !== undefined)) told.push(`${name}: ${reason}`);
        if (reason === "timeout" && looks !== 51) told.push(`${name}: ${looks} looks`);
        if (lua.eval("return went_on") !== undefined) told.push(`${name} went on`);
        if (lua.eval("return 1") !== 1) told.push(`${name}: dead`);
        await lua.close();
      }
      if (fuel !== undefined) {
        const lua = await perilune.Lua.create();
        const used = lua.run(code).fuel;
        if (used !== fuel) told.push(`${name}: ${used} ticks`);
        await lua.close();
      }
    }
    return told;
  }, rows);
  assert.deepEqual(told, []);
  await page.close();
});
