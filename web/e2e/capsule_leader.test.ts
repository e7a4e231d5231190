/**
 * The tab that owns a database ends while others write: closed, crashed, or its worker killed. What was
 * acknowledged is there, and nothing is there twice; subscribers hear of everything once, in its order.
 */
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import type { Page } from "playwright-core";
import type { Capsule, Open } from "./capsule_main.ts";
import { setUp, type Setup } from "./browser.ts";

declare const capsule: Capsule;
declare const open: Open;

/** Writers in each of two pages. */
const WRITERS = 50;

/** Writes that are acknowledged in each page before the leader ends, and after it. */
const BEFORE = 60;
const AFTER = 120;

/** Record of a page with writers. */
interface Writing {
  acknowledged: string[];
  failed: string[];
  heard: string[];
  isOver: boolean;
  done: Promise<unknown>;
}

declare const writing: Writing;
declare const theWorker: Worker;

const ENDS: { [how: string]: (leader: Page) => Promise<unknown> } = {
  closed: (leader) => leader.close(),
  "closed by its program": (leader) => leader.evaluate(() => open["db"]!.close()),
  "whose worker was killed": (leader) =>
    leader.evaluate(async () => {
      theWorker.terminate();
      const failure = await open["db"]!.query("SELECT 1").catch((error: { kind: string }) => error.kind);
      if (failure !== "closed") throw new Error(`the page does not know: ${String(failure)}`);
    }),
  crashed: (leader) => leader.goto("chrome://crash").catch(() => {}),
};

suite("the leader ends", () => {
  let setup: Setup;

  before(async () => {
    setup = await setUp({ script: "capsule_main.ts" });
  });

  after(() => setup.close());

  const opened = async (name: string): Promise<Page> => {
    const page = await setup.open();
    await page.evaluate(async (name) => {
      const worker = () => {
        const theWorker = new Worker("/dist/capsule_worker.js", { type: "module" });
        Object.assign(globalThis, { theWorker });
        return theWorker;
      };
      const db = new capsule.GlyphCase(name, { worker });
      db.on("error", (error) => console.error(String(error)));
      open["db"] = db;
      await db.execute("CREATE TABLE IF NOT EXISTS tokens(id INTEGER PRIMARY KEY, token TEXT)");
    }, name);
    return page;
  };

  const write = (page: Page, writers: number): Promise<void> =>
    page.evaluate(async (writers) => {
      const db = open["db"]!;
      const writing: Writing = { acknowledged: [], failed: [], heard: [], isOver: false, done: Promise.resolve() };
      Object.assign(globalThis, { writing });
      const watcher = db.watch("tokens");
      db.subscribe(
        watcher,
        (events) => void writing.heard.push(...events.map(({ newData }) => String(newData["token"]))),
      );
      await watcher.ready;
      const writer = async (n: number): Promise<void> => {
        for (let i = 0; !writing.isOver; i++) {
          const token = crypto.randomUUID();
          try {
            if (n % 3 === 0) {
              await db.transaction(async (tx) => {
                await tx.insert("tokens", { token });
                await tx.query("SELECT 1");
              });
            } else if (n % 3 === 1) await db.execute("INSERT INTO tokens(token) VALUES (?)", [token]);
            else await db.insert("tokens", { token });
            writing.acknowledged.push(token);
          } catch (error) {
            const { kind, retryable } = error as { kind?: string; retryable?: boolean };
            // A transaction that was not committed when the leader ended.
            if (!(retryable === true && n % 3 === 0)) writing.failed.push(`${kind}: ${String(error)}`);
          }
        }
      };
      writing.done = Promise.all(Array.from({ length: writers }, (_, n) => writer(n)));
    }, writers);

  for (const [how, end] of Object.entries(ENDS)) {
    test(how, async () => {
      const name = `leader-${how}.db`;
      const leader = await opened(name);
      const pages = [await opened(name), await opened(name)];
      for (const page of pages) await write(page, WRITERS);
      for (const page of pages) await page.waitForFunction((count) => writing.acknowledged.length >= count, BEFORE);
      await end(leader);
      for (const page of pages)
        await page.waitForFunction((count) => writing.acknowledged.length >= count, BEFORE + AFTER);
      const results = [];
      for (const page of pages) {
        results.push(
          await page.evaluate(async () => {
            writing.isOver = true;
            await writing.done;
            const { acknowledged, failed } = writing;
            return { acknowledged, failed };
          }),
        );
      }
      const [first] = pages as [Page];
      const tokens = await first.evaluate(async () => {
        const rows = await open["db"]!.query<{ token: string }>("SELECT token FROM tokens ORDER BY id");
        return rows.map(({ token }) => token);
      });
      assert.equal(new Set(tokens).size, tokens.length, "no write was done twice");
      const there = new Set(tokens);
      for (const { acknowledged, failed } of results) {
        assert.deepEqual(failed, []);
        assert.deepEqual(
          acknowledged.filter((token) => !there.has(token)),
          [],
          "everything that was acknowledged is there",
        );
      }
      for (const page of pages) {
        await page.waitForFunction((last) => writing.heard.includes(last as string), tokens.at(-1));
        const heard = await page.evaluate(() => writing.heard);
        const from = tokens.indexOf(heard[0] as string);
        assert.deepEqual(heard, tokens.slice(from), "every change is heard once, in order");
      }
      const check = await first.evaluate(() => open["db"]!.queryScalar("PRAGMA integrity_check"));
      assert.equal(check, "ok");
      for (const page of pages) await page.close();
      if (how !== "closed") await leader.close();
    });
  }
});
