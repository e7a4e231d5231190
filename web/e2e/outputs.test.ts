/** Tests in Chromium that calls side by side have each its own output. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { inTime } from "../test/time.ts";
import { setUp, type Setup } from "./browser.ts";

/** Function of outputs_page.ts that runs rounds. */
declare const run: (first: number, count: number) => Promise<{ problems: string[]; lines: number }>;

let setup: Setup;
before(async () => {
  setup = await setUp({ script: "outputs_page.ts" });
});
after(() => setup.close());

test("calls side by side have each its own output, and the rest is for the callbacks of the VM", async () => {
  const page = await setup.open();
  let all = 0;
  // No more VMs at a time than a page has room for.
  for (let first = 1; first <= 100; first += 20) {
    const { problems, lines } = await inTime(
      page.evaluate(([first, count]) => run(first, count), [first, 20] as const),
      () => `the rounds from ${first} on`,
    );
    assert.deepEqual(problems, []);
    all += lines;
  }
  assert.ok(all > 2000, `${all} lines`);
  await page.close();
});
