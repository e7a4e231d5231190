/** Compiled functions do in Chromium what interpreted ones do: golden scripts, and random programs. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { after, before, suite, test } from "node:test";
import type { Page } from "playwright-core";
import { FUEL_VARIES, type Compared, type Runs } from "../test/compiled.ts";
import { setUp, type Setup } from "./browser.ts";

declare const programs: (generate: string, frame: string, first: number, last: number) => Promise<Compared>;
declare const script: (runs: Runs) => Promise<Compared>;

const read = (path: string): string => readFileSync(resolve("../tests", path), "utf8");

suite("compiled as interpreted", () => {
  let setup: Setup;
  let page: Page;
  before(async () => {
    setup = await setUp({ script: "compiled_main.ts" });
    page = await setup.open();
  });
  after(() => setup.close());

  test("golden scripts", async () => {
    const names = readdirSync(resolve("../tests/golden"), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".lua"))
      // Its fuel depends on how much memory there is.
      .filter((name) => name !== "sandbox/memory-limit.lua");
    let functions = 0;
    for (const name of names) {
      const fuelVaries = FUEL_VARIES.includes(name);
      const runs: Runs = { source: read(`golden/${name}`), times: 2, name: "golden", fuelVaries };
      // Infinity does not come through as it is.
      const compared = await page.evaluate((runs) => script({ ...runs, options: { fuel: Infinity } }), runs);
      functions += compared.functions;
      assert.deepEqual(compared.told, [], name);
    }
    assert.ok(functions > 500, `${functions} functions`);
  });

  test("random programs", async () => {
    const [first = 1, last = first] = (process.env.COMPILED ?? "1-40").split("-").map(Number);
    const compared = await page.evaluate(([generate, frame, first, last]) => programs(generate, frame, first, last), [
      read("programs/generate.lua"),
      read("programs/frame.lua"),
      first,
      last,
    ] as const);
    assert.deepEqual(compared.told, []);
    assert.ok(compared.functions > last - first && compared.exits > last - first, JSON.stringify(compared));
  });
});
