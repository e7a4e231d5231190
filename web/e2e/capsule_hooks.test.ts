/**
 * Tabs that write by way of the hooks of a mod, while the one that leads is crashed, killed, closed or
 * frozen, again and again: no write is there twice, none is lost that was acknowledged, each reaction has run
 * once, and every tab hears of everything once, in its order. `CAPSULE_KILLS=100` for as many ends.
 */
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import type { CDPSession, Page } from "playwright-core";
import { Random } from "../test/random.ts";
import { shopProblems } from "../test/capsule_shop.ts";
import { until } from "../test/time.ts";
import { setUp, type Setup } from "./browser.ts";
import type { Shop as ShopOfPage, ShopClass } from "./capsule_hooks_page.ts";

declare const Shop: ShopClass;
declare const shop: ShopOfPage;

const KILLS = Number(process.env["CAPSULE_KILLS"] ?? 20);
const SEED = Number(process.env["PERILUNE_CRASH_SEED"] ?? 1);

/** Tabs at a time, and writers in each of them. */
const TABS = 3;
const WRITERS = 8;

/** Acknowledged writes between two ends, at least and at most. */
const BEFORE = 10;
const BEFORE_MAX = 60;

/** A tab with what it has told. */
interface Tab {
  readonly tag: string;
  readonly page: Page;
  readonly devtools: CDPSession;
  /** Session of its worker, in that of its page. */
  readonly worker: Promise<string>;
  readonly acknowledged: string[];
  /** Writes that may have been done or not. */
  readonly unknown: string[];
  readonly failed: string[];
}

/** Ways in which a leader ends, or is away for a while: then it leads again, or the same still. */
const ENDS: { [how: string]: (leader: Tab, others: Tab[]) => Promise<"gone" | "there"> } = {
  crashed: async ({ page }) => {
    await page.goto("chrome://crash").catch(() => {});
    return "gone";
  },
  "stopped, and goes on": async (leader, others) => {
    await stop(leader, others);
    await toWorker(leader, "Debugger.resume");
    return "there";
  },
  killed: async (leader) => {
    kill(leader);
    return "gone";
  },
  "frozen, and thawed": async (leader, others) => {
    await freeze(leader, others);
    await leader.devtools.send("Page.setWebLifecycleState", { state: "active" });
    return "there";
  },
  closed: async ({ page }) => {
    await page.close();
    return "gone";
  },
  "stopped, and killed": async (leader, others) => {
    await stop(leader, others);
    kill(leader);
    return "gone";
  },
  "without its worker": async ({ page }) => {
    await page.evaluate(() => {
      shop.isOver = true;
      shop.worker!.terminate();
    });
    return "gone";
  },
  "frozen, and killed": async (leader, others) => {
    await freeze(leader, others);
    kill(leader);
    return "gone";
  },
};

function kill({ devtools }: Tab): void {
  // There is no answer.
  devtools.send("Page.crash").catch(() => {});
}

/** Stops a worker where it is, until another tab has been told that it does not answer. */
async function stop(leader: Tab, others: Tab[]): Promise<void> {
  const told = () => others.reduce((sum, { unknown }) => sum + unknown.length, 0);
  const before = told();
  await toWorker(leader, "Debugger.enable");
  await toWorker(leader, "Debugger.pause");
  await until(() => told() > before, "a write that gets no answer");
}

/** Freezes a page. Its worker goes on, and so do the others. */
async function freeze({ devtools }: Tab, others: Tab[]): Promise<void> {
  await devtools.send("Page.setWebLifecycleState", { state: "frozen" });
  await written(others, 5);
}

/** Sends a command to the worker of a tab. */
async function toWorker({ devtools, worker }: Tab, method: string): Promise<void> {
  const message = JSON.stringify({ id: 1, method });
  await devtools.send("Target.sendMessageToTarget", { sessionId: await worker, message });
}

/** Waits until each tab has so many more orders. */
async function written(tabs: Tab[], more: number): Promise<void> {
  const goals = tabs.map((tab) => ({ tab, goal: tab.acknowledged.length + more }));
  await until(
    () => goals.every(({ tab, goal }) => tab.acknowledged.length >= goal || tab.failed.length > 0),
    `${more} orders of each tab`,
  );
  assert.deepEqual(
    tabs.flatMap(({ failed }) => failed),
    [],
  );
}

suite(`a shop in ${TABS} tabs whose leader ends ${KILLS} times`, () => {
  let setup: Setup;
  before(async () => {
    setup = await setUp({ script: "capsule_hooks_page.ts" });
  });
  after(() => setup.close());

  test("loses no order, and answers each once", async () => {
    const random = new Random(SEED);
    const all: Tab[] = [];
    let tabs: Tab[] = [];

    const open = async () => {
      const page = await setup.open();
      const tag = `tab-${all.length + 1}`;
      const devtools = await page.context().newCDPSession(page);
      const worker = new Promise<string>((resolve) =>
        devtools.on("Target.attachedToTarget", ({ sessionId }) => resolve(sessionId)),
      );
      await devtools.send("Target.setAutoAttach", { autoAttach: true, waitForDebuggerOnStart: false, flatten: false });
      const tab: Tab = { tag, page, devtools, worker, acknowledged: [], unknown: [], failed: [] };
      const lists = { done: tab.acknowledged, unknown: tab.unknown, failed: tab.failed };
      await page.exposeFunction("tell", (what: keyof typeof lists, text: string) => void lists[what].push(text));
      await page.evaluate(
        async ([tag, writers]) => {
          const shop = new Shop("shop.db");
          Object.assign(globalThis, { shop });
          await shop.open();
          shop.write(tag, writers);
        },
        [tag, WRITERS] as const,
      );
      all.push(tab);
      tabs.push(tab);
    };
    const leads = (tab: Tab) => tab.page.evaluate(() => shop.isLeader);
    const leader = async (): Promise<Tab> => {
      let found: Tab | undefined;
      await until(async () => {
        for (const tab of tabs) if (await leads(tab)) found = tab;
        return found;
      }, "a leader");
      return found!;
    };
    const ways = Object.keys(ENDS);
    const counts = new Map<string, number>();
    for (let kill = 0; kill < KILLS; kill++) {
      while (tabs.length < TABS) await open();
      await written(tabs, BEFORE + random.below(BEFORE_MAX - BEFORE));
      const how = ways[kill % ways.length]!;
      const ended = await leader();
      const others = tabs.filter((tab) => tab !== ended);
      const end = await ENDS[how]!(ended, others);
      if (end === "gone") tabs = others;
      counts.set(how, (counts.get(how) ?? 0) + 1);
      // The next one goes on, or the same.
      await written(tabs, 1);
    }
    for (const { page } of tabs) await page.evaluate(() => shop.rest());
    const { page } = await leader();
    await page.evaluate(() => shop.db.flush());
    const scalar = (sql: string) => page.evaluate((sql) => shop.db.queryScalar(sql), sql);
    assert.deepEqual(await shopProblems(scalar), []);
    const orders = await page.evaluate(() =>
      shop.db.query<{ id: number; filler: string }>("SELECT id, filler FROM orders ORDER BY id"),
    );
    const tokens = orders.map(({ filler }) => filler);
    const there = new Set(tokens);
    assert.equal(there.size, tokens.length, "no order is there twice");
    const acknowledged = all.flatMap((tab) => tab.acknowledged);
    assert.deepEqual(
      acknowledged.filter((token) => !there.has(token)),
      [],
      "every order is there that was acknowledged",
    );
    const letters = await page.evaluate(() =>
      shop.db.query<{ id: number }>("SELECT order_id AS id FROM letters ORDER BY letters.id"),
    );
    for (const { tag, page } of tabs) {
      await page.waitForFunction(([order, letter]) => shop.heard.at(-1) === order && shop.letters.at(-1) === letter, [
        tokens.at(-1),
        letters.at(-1)!.id,
      ] as const);
      const heard = await page.evaluate(() => ({ orders: shop.heard, letters: shop.letters }));
      assert.deepEqual(heard.orders, tokens.slice(-heard.orders.length), `what ${tag} has heard of orders`);
      const ids = letters.map(({ id }) => id);
      assert.deepEqual(heard.letters, ids.slice(-heard.letters.length), `what ${tag} has heard of letters`);
    }
    const unknown = all.flatMap((tab) => tab.unknown);
    const done = unknown.filter((token) => there.has(token)).length;
    console.log(
      `${tokens.length} orders, ${acknowledged.length} acknowledged; of ${unknown.length} that nobody knew of, ` +
        `${done} were done; leaders ${[...counts].map(([how, count]) => `${how}: ${count}`).join("; ")}`,
    );
    for (const tab of tabs) await tab.page.close();
  });
});
