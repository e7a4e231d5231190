/** The contract of every storage, over IndexedDB in Chromium. */
import { after, before, suite, test } from "node:test";
import type { Page } from "playwright-core";
import { PARTS } from "../test/storage_conformance.ts";
import { setUp, type Setup } from "./browser.ts";

declare const run: (index: number, options: object) => Promise<void>;

suite("IndexedDB keeps the contract", () => {
  let setup: Setup;
  let page: Page;
  before(async () => {
    setup = await setUp({ script: "conformance_main.ts" });
    page = await setup.open();
  });
  after(() => setup.close());

  for (const durability of ["relaxed", "strict"]) {
    for (const [index, [name]] of PARTS.entries()) {
      test(`${name} (${durability})`, async () => {
        const options = { storage: `idb://${durability}-${index}`, durability };
        await page.evaluate(([index, options]) => run(index as number, options as object), [index, options]);
      });
    }
  }
});
