/** Tests in Chromium that every limit ends a call, however it waits, and that the page goes on meanwhile. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { inTime } from "../test/time.ts";
import { problems, type Outcome } from "../test/waits.ts";
import { setUp, type Setup } from "./browser.ts";

/** Function of waits_page.ts that runs the next case. */
declare const next: () => Promise<Outcome | undefined>;

let setup: Setup;
before(async () => {
  setup = await setUp({ script: "waits_page.ts" });
});
after(() => setup.close());

test("a call is ended by every limit, in whatever way it waits", async () => {
  const page = await setup.open();
  const told: Outcome[] = [];
  for (;;) {
    const outcome = await inTime(
      page.evaluate(() => next()),
      () => `the case after ${told.at(-1)?.name}`,
    );
    if (outcome === undefined) break;
    told.push(outcome);
  }
  assert.deepEqual(problems(told), []);
  assert.ok(told.length > 150, `${told.length} cases`);
  await page.close();
});
