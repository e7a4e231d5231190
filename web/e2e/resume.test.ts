/**
 * A VM that survives reloads, in Chromium: what its script knows and what its tables say are of one moment,
 * however the page ends; and images that travel between browsers and Node.
 *
 * Another seed or more kills of each engine: PERILUNE_CRASH_SEED, PERILUNE_CRASHES.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import type { Page } from "playwright-core";
import { Lua } from "../src/index.ts";
import { Random } from "../test/random.ts";
import { PROGRAM } from "../test/resume_program.ts";
import { LEVELDB, SQLITE, reload, serve, setUp, type Setup, type Site } from "./browser.ts";
import { Killed } from "./killed.ts";
import { inTime, pause } from "../test/time.ts";

const KILLS = Number(process.env["PERILUNE_CRASHES"] ?? 12);
const SEED = Number(process.env["PERILUNE_CRASH_SEED"] ?? 1);

/** One in so many is killed while it opens the database, the others while they write. */
const KILLED_OPENING = 4;
const WRITING_MS_MAX = 100;
const OPENING_MS_MAX = 150;

/** State that a page found. */
interface Found {
  /** True if the program began anew. */
  booted: boolean;
  /** Reason of that, if there was a VM in storage; else undefined. */
  reason: string | undefined;
  tasks: number;
  reached: number;
  ticks: number;
  disagreement: string | undefined;
}

suite("a page that is reloaded", () => {
  let setup: Setup;
  before(async () => void (setup = await setUp()));
  after(() => setup.close());

  test("goes on where it was, again and again, with what slept", async () => {
    const page = await setup.open();
    let last: Found | undefined;
    for (let visit = 0; visit < 6; visit++) {
      const found = await open(page, "idb://visits");
      assert.equal(found.disagreement, undefined);
      if (last !== undefined) {
        assert.deepEqual([found.booted, found.tasks], [false, 1]);
        assert.ok(found.reached >= last.reached && found.ticks >= last.ticks, JSON.stringify([last, found]));
      } else {
        assert.equal(found.booted, true);
      }
      last = await page.evaluate(async () => {
        const before = lua.table("t").get("tick");
        for (let i = 0; i < 10 || lua.table("t").get("tick") === before; i++) {
          lua.call("step");
          await new Promise((resolve) => setTimeout(resolve, 3));
        }
        // While it sleeps, and what is said here is committed.
        const [reached, ticks] = lua.evalAll("return reached(), ext.table('t').tick or 0");
        await lua.flush();
        return { reached, ticks } as Found;
      });
      assert.ok(last.ticks > found.ticks);
      // What is still going on when the page goes may be there or not: but of both, or of none.
      await page.evaluate(() => {
        const busy = () => {
          for (let i = 0; i < 5; i++) lua.call("step");
          setTimeout(busy, 1);
        };
        busy();
      });
      await pause(visit * 11);
      await reload(page);
    }
    await page.close();
  });

  test("goes on after it was reloaded or went elsewhere right after an eval, mostly with that eval", async () => {
    const page = await setup.open();
    const VISITS = 9;
    let reached = 0;
    let kept = 0;
    for (let visit = 0; visit < VISITS; visit++) {
      const found = await open(page, "idb://elsewhere");
      assert.equal(found.disagreement, undefined);
      assert.equal(found.booted, visit === 0);
      assert.ok(found.reached >= reached);
      if (visit > 0 && found.reached > reached) kept += 1;
      reached = await page.evaluate(async () => {
        const reached = lua.call<number>("step");
        await lua.flush();
        // This one waits for its pause.
        lua.call("step");
        const { commit } = IDBTransaction.prototype;
        IDBTransaction.prototype.commit = function () {
          commit.call(this);
          localStorage.setItem("ended", String(Number(localStorage.getItem("ended")) + 1));
        };
        return reached;
      });
      await pause(visit * 4);
      if (visit % 3 === 0) {
        await page.reload();
      } else {
        await page.goto(visit % 3 === 1 ? `${setup.origin}/?elsewhere` : "about:blank");
        await page.goto(setup.origin);
      }
      await page.waitForFunction(() => "perilune" in globalThis);
      const ended = await page.evaluate(() => Number(localStorage.getItem("ended")));
      // Browsers promise nothing here: all that a page can do is to end its last transaction itself.
      assert.ok(ended > 0, `visit ${visit}`);
      await page.evaluate(() => localStorage.removeItem("ended"));
    }
    console.log(`of ${VISITS - 1} pages left right after an eval, ${kept} had kept it`);
    await page.close();
  });

  test("commits at once what waits for its pause when it goes to the background", async () => {
    const page = await setup.open();
    await open(page, "idb://background");
    const background = page.evaluate(async () => {
      await lua.flush();
      // No time goes by: the pause does not end.
      const now = performance.now();
      performance.now = () => now;
      const { setTimeout } = globalThis;
      const pauses: number[] = [];
      globalThis.setTimeout = ((work: () => void, ms = 0) => {
        if (ms < 100) return setTimeout(work, ms);
        pauses.push(ms);
        return 0;
      }) as typeof setTimeout;
      lua.eval("step()");
      await lua.flush();
      const committed = new Promise<void>((resolve) => lua.on("commit", () => resolve()));
      lua.eval("step()");
      const before = lua.stats().storage.state;
      const ended = [0, 0];
      const { commit } = IDBTransaction.prototype;
      IDBTransaction.prototype.commit = function () {
        ended[0]! += 1;
        commit.call(this);
      };
      Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
      await committed;
      return { before, pause: pauses.at(-1), ended: ended[0]! };
    });
    assert.deepEqual(await inTime(background, () => "the commit"), { before: "scheduled", pause: 400, ended: 1 });
    await page.close();
  });

  test("is one of two tabs: the second is refused, and goes on when the first has gone", async () => {
    const [first, second] = [await setup.open(), await setup.open()];
    await open(first, "idb://tabs");
    await first.evaluate(() => lua.call("step"));
    await first.evaluate(() => lua.flush());
    const code = await second.evaluate(() =>
      perilune.Lua.create({ storage: "idb://tabs", resume: true, lockTimeout: 100 }).then(
        () => "none",
        (error: { code: string }) => error.code,
      ),
    );
    assert.equal(code, "locked");
    await first.evaluate(() => lua.call("step"));
    await first.close();
    const found = await open(second, "idb://tabs");
    assert.deepEqual([found.booted, found.disagreement], [false, undefined]);
    assert.ok(found.reached >= 1);
    await second.close();
  });

  test("begins anew when its VM is damaged, with all tables, and goes on from then", async () => {
    const page = await setup.open();
    for (const [round, prefix] of ["xvm:i", "xvm:m"].entries()) {
      await open(page, "idb://damaged");
      await page.evaluate(async () => {
        lua.call("step");
        await lua.close();
      });
      await page.evaluate(async (prefix) => {
        const database = await new Promise<IDBDatabase>((resolve) => {
          const request = indexedDB.open("perilune/damaged");
          request.onsuccess = () => resolve(request.result);
        });
        const transaction = database.transaction("records", "readwrite");
        const done = new Promise((resolve) => (transaction.oncomplete = resolve));
        const records = transaction.objectStore("records");
        records.getAll().onsuccess = ({ target }) => {
          const all = (target as IDBRequest).result as { k: string; v: Uint8Array }[];
          const record = all.find(({ k }) => k.startsWith(prefix))!;
          record.v[record.v.length >> 1]! ^= 4;
          records.put(record);
        };
        await done;
        database.close();
      }, prefix);
      const found = await open(page, "idb://damaged", "ext.table('t').boots = (ext.table('t').boots or 0) + 1");
      assert.deepEqual([found.booted, found.reason], [true, "corrupt"]);
      const t = await page.evaluate(async () => {
        const t = Object.fromEntries([...lua.table("t")]);
        lua.table("t").clear();
        await lua.close();
        return t;
      });
      assert.deepEqual([t["n"], t["boots"]], [1, 1]);
      const next = await open(page, "idb://damaged");
      assert.equal(next.booted, false);
      await page.evaluate(() => lua.close());
      // For the next round, a VM that counts.
      if (round === 0) {
        await page.evaluate(
          () => new Promise((resolve) => (indexedDB.deleteDatabase("perilune/damaged").onsuccess = resolve)),
        );
      }
    }
    await page.close();
  });

  test("writes its VM again, whole, when the site's data were cleared under it", async () => {
    const page = await setup.open();
    await open(page, "idb://wiped");
    await page.evaluate(async () => {
      for (let i = 0; i < 5; i++) lua.call("step");
      await lua.flush();
    });
    const session = await page.context().newCDPSession(page);
    await session.send("Storage.clearDataForOrigin", { origin: setup.origin, storageTypes: "indexeddb" });
    const codes = await page.evaluate(async () => {
      const codes: string[] = [];
      lua.on("storage-error", ({ code }) => codes.push(code));
      lua.call("step");
      for (;;) {
        const done = await lua.flush().then(
          () => true,
          () => false,
        );
        if (done) break;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      return codes;
    });
    assert.deepEqual(codes, ["reset"]);
    await reload(page);
    const found = await open(page, "idb://wiped");
    assert.deepEqual([found.booted, found.disagreement, found.reached], [false, undefined, 6]);
    assert.equal(found.tasks, 1);
    await page.close();
  });
});

suite("an image", () => {
  /** Globals, closures, coroutines, tables, all kinds of numbers, and a call that sleeps. */
  const source = `
    local shared = 40
    function add() shared = shared + 1 return shared end
    numbers = coroutine.wrap(function() for i = 1, 9 do coroutine.yield(i) end end)
    numbers()
    values = { 1, 1.5, -0.0, math.mininteger, "a\\0\\xff", [true] = { deep = { er = "x" } } }
    kept = ext.table("kept")
    kept.here = { 1, 2, "still" }
    math.random(100)
    function sleeper() local n = 0 while n < 3 do async.sleep(5) n = n + 1 kept.n = n end return n end`;
  const look = `
    local v = values
    return add(), numbers(), v[1], v[2], 1 / v[3] < 0, v[4] == math.mininteger, v[5] == "a\\0\\xff", v[true].deep.er,
      kept.here[3], math.random(1000000), kept.n`;
  /** Values that the restored program returns, without the random one. */
  const EXPECTED = [41, 2, 1, 1.5, true, true, true, "x", "still"];

  let setup: Setup;
  let page: Page;
  let random: unknown;
  before(async () => {
    setup = await setUp();
    page = await setup.open();
    const lua = await Lua.create({ seed: 7 });
    lua.eval(source);
    const again = await Lua.restore(lua.snapshot());
    random = again.evalAll(look)[9];
    await lua.close();
    await again.close();
  });
  after(() => setup.close());

  const made = async () => {
    const lua = await Lua.create({ seed: 7 });
    lua.eval(source);
    lua.callAsync("sleeper").catch(() => {});
    const image = lua.snapshot();
    await lua.close();
    return image;
  };
  const check = (values: unknown[], end: unknown, n: unknown) => {
    assert.deepEqual(values, [...EXPECTED, random, undefined]);
    assert.deepEqual([end, n], [3, 3]);
  };
  /** Restores an image in the page. */
  const restored = (image: string) =>
    page.evaluate(
      async ([image, look]) => {
        const bytes = Uint8Array.from(atob(image!), (char) => char.charCodeAt(0));
        const lua = await perilune.Lua.restore(bytes);
        const values = lua.evalAll(look!);
        const end = await lua.restored!.tasks[0]!.result;
        const n = lua.table("kept").get("n");
        await lua.close();
        return [values.map((value) => value ?? null), end, n];
      },
      [image, look] as const,
    ) as Promise<[unknown[], unknown, unknown]>;
  const madeInPage = () =>
    page.evaluate(async (source) => {
      const lua = await perilune.Lua.create({ seed: 7 });
      lua.eval(source);
      lua.callAsync("sleeper").catch(() => {});
      let text = "";
      for (const byte of lua.snapshot()) text += String.fromCharCode(byte);
      await lua.close();
      return btoa(text);
    }, source);

  test("made in Node goes on in Chromium", async () => {
    const [values, end, n] = await restored(Buffer.from(await made()).toString("base64"));
    check(
      values.map((value) => value ?? undefined),
      end,
      n,
    );
  });

  test("made in Chromium goes on in Node", async () => {
    const lua = await Lua.restore(Buffer.from(await madeInPage(), "base64"));
    const values = lua.evalAll(look);
    const end = await lua.restored?.tasks[0]?.result;
    check(values, end, lua.table("kept").get("n"));
    await lua.close();
  });

  test("is still good after a reload, as text in localStorage and as bytes in a Cache", async () => {
    const image = await madeInPage();
    await page.evaluate(async (image) => {
      localStorage.setItem("image", image);
      const bytes = Uint8Array.from(atob(image), (char) => char.charCodeAt(0));
      await (await caches.open("images")).put("/image", new Response(bytes));
    }, image);
    await reload(page);
    assert.equal(await page.evaluate(() => localStorage.getItem("image")), image);
    const [values, end, n] = await restored(image);
    check(
      values.map((value) => value ?? undefined),
      end,
      n,
    );
    const shared = await page.evaluate(async () => {
      const response = await (await caches.open("images")).match("/image");
      const lua = await perilune.Lua.restore(await response!.arrayBuffer());
      return lua.eval("return add()");
    });
    assert.equal(shared, 41);
  });
});

for (const { engine, flag } of [
  { engine: "SQLite", flag: SQLITE },
  { engine: "LevelDB", flag: LEVELDB },
]) {
  suite(`killed, on ${engine}`, () => {
    let folder: string;
    let site: Site;
    let chromium: Killed;
    const problems: string[] = [];
    let least = 0;
    let flushes = 0;
    let heard = (_what: string): void => {};

    before(async () => {
      folder = await mkdtemp(join(tmpdir(), "perilune-resume-"));
      chromium = new Killed(folder);
      site = await serve({
        script: "resume_page.ts",
        heard(path, body) {
          const what = path.slice(1);
          if (body !== "") note(what, JSON.parse(body));
          heard(what);
        },
      });
    });

    after(async () => {
      await chromium.kill();
      site.close();
      assert.deepEqual(chromium.processes(), []);
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    });

    test(`${KILLS} times: VM and tables agree, and nothing that was flushed is lost`, async () => {
      const random = new Random(SEED);
      for (let round = 0; round < KILLS; round++) {
        // A second kill while LevelDB opens may cost it the database: crash.test.ts.
        const opening = flag === SQLITE && round % KILLED_OPENING === KILLED_OPENING - 1;
        if (opening) await start(round, "page.js");
        else await start(round, "flushed", 1 + random.below(3));
        await pause(random.below(opening ? OPENING_MS_MAX : WRITING_MS_MAX));
        await chromium.kill();
        assert.deepEqual(problems, []);
      }
      await start(KILLS, "opened");
      await chromium.kill();
      assert.deepEqual(problems, []);
      console.log(`${engine}: ${KILLS} kills, ${flushes} flushes, ${least} steps`);
      assert.ok(flushes > KILLS / 2 && least > 10 * KILLS);
    });

    function note(
      what: string,
      said: { round: number; n: number; tasks?: number; problem?: string; message?: string },
    ) {
      const { round, n, tasks, problem, message } = said;
      if (what === "failed") return void problems.push(`round ${round}: ${message}`);
      if (what === "flushed") flushes += 1;
      if (what === "opened") {
        if (problem !== undefined) problems.push(`round ${round}: ${problem}`);
        if (n < least) problems.push(`round ${round}: ${n} steps, and ${least} were committed`);
        // What has been committed goes on, with both calls that sleep.
        if (least > 0 && tasks !== 2) problems.push(`round ${round}: ${tasks} calls go on`);
      }
      least = Math.max(least, n);
    }

    /** Starts a browser with the page; resolves as soon as `what` was heard of it so often. */
    async function start(round: number, what: "page.js" | "opened" | "flushed", times = 1): Promise<void> {
      const waiting = new Promise<void>((resolve) => {
        heard = (path) => {
          if (path === what) times -= 1;
          if (times === 0 || path === "failed") resolve();
        };
      });
      chromium.start(`${site.origin}/?round=${round}`, [flag], `log-${round}`);
      await inTime(waiting, () => {
        const log = readFileSync(join(folder, `log-${round}`), "utf8");
        return `${what} of round ${round}; the browser says: ${log.slice(-500)}`;
      });
    }
  });
}

/** Makes `lua` in the page, where the program may have been going on for long. */
function open(page: Page, storage: string, boot: string = PROGRAM): Promise<Found> {
  return page.evaluate(
    async ([storage, source]) => {
      let [booted, reason]: [boolean, string | undefined] = [false, undefined];
      globalThis.lua = await perilune.Lua.create({
        storage: storage!,
        resume: true,
        functions: { note() {} },
        boot: (lua, previous) => {
          booted = true;
          reason = previous?.reason.code;
          lua.eval(source!);
          if (lua.eval("return ticking ~= nil")) lua.evalAsync("ticking('tick', 2)").catch(() => {});
        },
      });
      const known = lua.eval("return reached ~= nil");
      return {
        booted,
        reason,
        tasks: lua.restored?.tasks.length ?? 0,
        reached: known ? lua.call<number>("reached") : 0,
        ticks: (lua.table("t").get("tick") as number | undefined) ?? 0,
        disagreement: known ? lua.eval<string | undefined>("return disagreement()") : undefined,
      };
    },
    [storage, boot] as const,
  );
}
