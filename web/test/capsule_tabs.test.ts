/**
 * Tabs that share a database, whose leaders end at any message, lose answers, and freeze: never two owners,
 * every acknowledged write there once, none twice, and subscribers that hear of every change once, in order.
 *
 * Other or more runs: PERILUNE_TABS_SEED, PERILUNE_TABS_RUNS.
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { CapsuleError } from "../src/capsule/errors.ts";
import { Lane } from "../src/capsule/lane.ts";
import { messageFrom } from "../src/capsule/tabs/wire.ts";
import { World, type FakeTab } from "./tab_world.ts";

const RUNS = Number(process.env["PERILUNE_TABS_RUNS"] ?? 12);
const SEED = Number(process.env["PERILUNE_TABS_SEED"] ?? 1);

/** A mod that takes part in each write, and answers it later; by way of a function of the page. */
const MOD = `
  local here = page_is_here
  function after_save(name, row)
    if name == "t" then glyphcase.insert("copies", { token = row.token, known = here ~= nil }) end
  end
  function on_data_changed(name, operation, row)
    if name == "t" then glyphcase.insert("answers", { token = row.token }) end
  end`;

/** Writes of one run, and tabs at a time. */
const WRITES = 60;
const TABS = 3;

/** Steps after which a run has certainly hung. */
const STEPS_MAX = 3_000_000;

/** A page of a tab: calls one after the other, as the lane of a capsule has it, and hears of all. */
interface Page {
  tab: FakeTab;
  lane: Lane;
  heard: string[];
  /** Tokens that were there when it had subscribed. */
  before: Set<string> | undefined;
  busy: boolean;
  attaching: Promise<void> | undefined;
}

for (let run = 0; run < RUNS; run++) {
  test(`tabs of seed ${SEED + run}`, (t) => check(SEED + run, t).then(() => {}));
}

test("a seed repeats its run", async (t) => {
  const first = await check(SEED, t);
  t.mock.restoreAll();
  const again = await check(SEED, t);
  const at = first.findIndex((act, at) => act !== again[at]);
  assert.equal(again[at], first[at], `act ${at} of ${first.length}`);
  assert.equal(again.length, first.length);
});

/** Runs the world of a seed; resolves to all that has happened in it. */
async function check(seed: number, t: TestContext): Promise<string[]> {
  const world = new World(seed, t);
  const { random } = world;
  const pages = new Set<Page>();
  const acknowledged: string[] = [];
  const attempted: string[] = [];
  const problems: string[] = [];
  let tokens = 0;
  let calm = false;

  const openPage = () => {
    const page: Page = {
      tab: undefined as never,
      lane: new Lane(),
      heard: [],
      before: undefined,
      busy: false,
      attaching: undefined,
    };
    page.tab = world.open({
      attached: () => void (page.attaching = page.lane.runFirst(() => attach(page))),
      message: (data) => {
        const message = messageFrom(data);
        if (message.kind === "events")
          page.heard.push(...message.events.map(({ newData }) => String(newData["token"])));
        if (message.kind === "error" && !page.tab.isDead) problems.push(String(message.error));
      },
      warning: (text) => problems.push(text),
    });
    pages.add(page);
  };

  const attach = async (page: Page): Promise<void> => {
    const { tab } = page;
    const { attachments } = tab;
    try {
      await tab.request("register", "page_is_here");
      for (const table of ["t", "copies", "answers"])
        await tab.request("execute", `CREATE TABLE IF NOT EXISTS ${table}(id INTEGER PRIMARY KEY, token TEXT, known)`);
      await tab.request("activateMods");
      await tab.request("installMod", { name: "m", version: "1", files: { "m.lua": MOD } });
      await tab.request("watch", "w", "t", undefined);
      await tab.request("subscribe", "w", tab.id, "custom", undefined);
      const rows = (await tab.request("query", "SELECT token FROM t")) as { token: string }[];
      page.before ??= new Set(rows.map(({ token }) => token));
    } catch (error) {
      // It is closed, or it has another core meanwhile, to which everything is attached anew.
      if (tab.attachments !== attachments || (error instanceof CapsuleError && error.kind === "closed")) return;
      // It does not answer: the page tries again.
      if (!(error instanceof CapsuleError && ["locked", "timeout"].includes(error.kind))) throw error;
      await world.settled();
      if (!tab.isDead && tab.failure === undefined) await attach(page);
    }
  };

  const write = async (page: Page): Promise<void> => {
    const { tab } = page;
    const token = `${tab.id}:${++tokens}`;
    attempted.push(token);
    try {
      switch (random.below(3)) {
        case 0: {
          const depth = (await tab.request("begin")) as number;
          try {
            await tab.request("insert", "t", { token });
            await tab.request("query", "SELECT count(*) FROM t");
            await tab.request("commit", depth);
          } catch (error) {
            await tab.request("rollBack", 0);
            throw error;
          }
          break;
        }
        case 1:
          assert.equal(await tab.request("execute", "INSERT INTO t(token) VALUES (?)", [token]), 1);
          break;
        default:
          assert.equal(typeof (await tab.request("insert", "t", { token })), "number");
      }
      acknowledged.push(token);
    } catch (error) {
      const known = error instanceof CapsuleError && ["locked", "timeout"].includes(error.kind);
      if (!known && !tab.isDead && tab.failure === undefined) problems.push(`${token}: ${String(error)}`);
    } finally {
      page.busy = false;
    }
  };

  for (let step = 0; !calm; step++) {
    assert.ok(step < STEPS_MAX, `seed ${seed}: it comes to no end: ${tokens} writes`);
    while (world.tabs.size < TABS) openPage();
    for (const page of pages) {
      const { tab } = page;
      // One that has given up while it opened is opened anew by its user.
      if (tab.failure !== undefined || tab.isDead) pages.delete(page);
      else if (!page.busy && !tab.isFrozen && page.before !== undefined && random.below(4) === 0) {
        page.busy = true;
        void page.lane.run(() => write(page));
      }
    }
    const all = [...world.tabs];
    const victim = all[random.below(all.length)] as FakeTab;
    const chance = random.below(400);
    if (chance < 4) world.kill(victim);
    else if (chance < 6) victim.isFrozen = true;
    else if (chance < 16) for (const tab of all) tab.isFrozen = false;
    await world.step();
    calm = tokens >= WRITES;
  }

  // Nobody dies any more: everything comes to its end. Time goes by only while nothing is under way, since
  // requests of tabs that are behind by more than their patience would be late again and again.
  const step = async () => (await world.step(false)) || (await world.step());
  for (const tab of world.tabs) tab.isFrozen = false;
  const alive = () => [...pages].filter(({ tab }) => !tab.isDead && tab.failure === undefined);
  const isQuiet = () => alive().every(({ busy, before }) => !busy && before !== undefined);
  const states = () =>
    alive().map(({ tab, busy, before }) => `${tab.id} ${busy ? "writes" : before ? "rests" : "attaches"}`);
  for (let steps = 0; !isQuiet(); steps++) {
    assert.ok(steps < STEPS_MAX, `seed ${seed}: it comes to no rest: ${states()}`);
    if (!(await step())) await world.settled();
  }
  for (const { attaching } of alive()) {
    let done = false;
    void attaching?.finally(() => (done = true));
    await world.settled();
    while (!done) if (!(await step())) await world.settled();
  }

  const [reader] = alive();
  assert.ok(reader);
  let rows: string[] | undefined;
  const read = (): Promise<unknown> =>
    reader.tab
      .request("query", "SELECT token FROM t ORDER BY id")
      .then((found: { token: string }[]) => (rows = found.map(({ token }) => token)), read);
  void read();
  while (rows === undefined) if (!(await step())) await world.settled();
  const there = new Set(rows);
  const story = `seed ${seed}`;
  assert.deepEqual(problems, [], story);
  const twice = rows.filter((token, at) => rows?.indexOf(token) !== at);
  assert.deepEqual(twice, [], `${story}: nothing is there twice`);
  assert.deepEqual(
    acknowledged.filter((token) => !there.has(token)),
    [],
    `${story}: what was acknowledged is there`,
  );
  assert.deepEqual(
    rows.filter((token) => !attempted.includes(token)),
    [],
    story,
  );
  // Whoever led, and however often what was under way was sent again: the mod has taken part.
  const others = async (sql: string): Promise<unknown> => {
    let found: { token: string; known: unknown }[] | undefined;
    const ask = (): Promise<unknown> =>
      reader.tab
        .request("flush")
        .then(() => reader.tab.request("query", sql))
        .then((rows) => (found = rows), ask);
    void ask();
    while (found === undefined) if (!(await step())) await world.settled();
    return found.map(({ token, known }) => [token, known]);
  };
  const expected = rows.map((token) => [token, 1]).sort();
  assert.deepEqual(await others("SELECT token, known FROM copies ORDER BY token"), expected, `${story}: hooks`);
  assert.deepEqual(
    await others("SELECT token, count(*) AS known FROM answers GROUP BY token ORDER BY token"),
    expected,
    `${story}: reactions`,
  );
  for (const { heard, before, tab } of alive()) {
    const wanted = rows.filter((token) => !before?.has(token));
    const isComplete = () =>
      wanted.every((token) => heard.includes(token)) && (heard.length === 0 || heard.at(-1) === rows?.at(-1));
    for (let wait = 0; !isComplete() && wait < STEPS_MAX; wait++) if (!(await step())) await world.settled();
    assert.equal(new Set(heard).size, heard.length, `${story}: ${tab.id} hears nothing twice`);
    const from = rows.indexOf(heard[0] ?? "");
    assert.deepEqual(heard, heard.length === 0 ? [] : rows.slice(from), `${story}: ${tab.id} hears all in order`);
    assert.ok(isComplete(), `${story}: ${tab.id} hears all`);
  }
  for (const { tab } of alive()) {
    let closed = false;
    void tab.tab.close().finally(() => (closed = true));
    await world.settled();
    while (!closed) if (!(await step())) await world.settled();
  }
  assert.equal(world.owners, 0, `${story}: all is closed`);
  return world.story;
}
