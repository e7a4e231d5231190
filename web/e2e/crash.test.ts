/**
 * Chromium, killed again and again while a page writes: storage must always hold the state after some eval,
 * and never an older one than was said to be committed.
 *
 * What is killed is everything: the browser, its storage service, its renderers. So this shows what a crash
 * of the browser leaves, not what a power cut does. Chromium has two engines below IndexedDB, and both are
 * tried.
 *
 * The older one, LevelDB, does not survive two kills in a row when the first tears its log and the second
 * comes before src/js/storage/indexeddb/log.js has ended that: Chromium then deletes all databases of the
 * origin, and says so in its own log. So an empty database is no failure when Chromium says that and the
 * browser before was killed while it opened.
 *
 * Another seed or more kills of each: PERILUNE_CRASH_SEED, PERILUNE_CRASHES.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { Random } from "../test/random.ts";
import { LEVELDB, serve, SQLITE, type Site } from "./browser.ts";
import { Killed } from "./killed.ts";
import { inTime, pause } from "../test/time.ts";

const KILLS = Number(process.env["PERILUNE_CRASHES"] ?? 30);
const SEED = Number(process.env["PERILUNE_CRASH_SEED"] ?? 1);

const ENGINES = [
  { engine: "SQLite", flag: SQLITE },
  { engine: "LevelDB", flag: LEVELDB },
];

/** Message in Chromium's log when a database that LevelDB could not read is deleted. */
const DELETED = "recovering from a corrupted (and deleted) database";

/** One in so many is killed while it opens the database, the others while they write. */
const KILLED_OPENING = 5;
const WRITING_MS_MAX = 100;
const OPENING_MS_MAX = 200;

/** Message of a page. */
interface Message {
  round: number;
  n: number;
  problem?: string;
  message?: string;
}

for (const { engine, flag } of ENGINES) {
  suite(`killed, on ${engine}`, () => {
    /** The browser's profile and whatever else it leaves behind. */
    let folder: string;
    let site: Site;
    let chromium: Killed;
    /** The last eval that each round found, and the last that it was told to be committed. */
    const opened = new Map<number, number>();
    const committed = new Map<number, number>();
    /** Rounds in which Chromium itself deleted everything. */
    const deleted = new Set<number>();
    const problems: string[] = [];
    let heard = (_what: string): void => {};

    before(async () => {
      folder = await mkdtemp(join(tmpdir(), "perilune-crash-"));
      chromium = new Killed(folder);
      site = await serve({
        script: "crash_page.ts",
        heard(path, body) {
          const what = path.slice(1);
          if (body !== "") note(what, JSON.parse(body) as Message);
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

    test(`${KILLS} times: the state after an eval, not older than the last flush`, async () => {
      const random = new Random(SEED);
      for (let round = 0; round < KILLS; round++) {
        if (round % KILLED_OPENING === KILLED_OPENING - 1) {
          await start(round, "page.js");
          await pause(random.below(OPENING_MS_MAX));
        } else {
          await start(round, "flushed", 1 + random.below(4));
          await pause(random.below(WRITING_MS_MAX));
        }
        await end(round);
      }
      await start(KILLS, "opened");
      await end(KILLS);
      const evals = Math.max(...opened.values());
      console.log(`${engine}: ${KILLS} kills, ${evals} evals; Chromium deleted the database ${deleted.size} times`);
      // Otherwise the pages did not come to anything.
      assert.ok(evals > KILLS);
    });

    function note(what: string, { round, n, problem, message }: Message): void {
      if (what === "opened") {
        opened.set(round, n);
        if (problem !== undefined) problems.push(`round ${round}, after eval ${n}: ${problem}`);
      } else if (what === "flushed") {
        committed.set(round, n);
      } else {
        problems.push(`round ${round}: ${message}`);
      }
    }

    /** Starts a browser with a page that opens the database; resolves when it has said `what` so often. */
    async function start(round: number, what: "page.js" | "opened" | "flushed", times = 1): Promise<void> {
      const waiting = new Promise<void>((resolve) => {
        heard = (path) => {
          if (path === what) times -= 1;
          if (times === 0 || path === "failed") resolve();
        };
      });
      const page = `${site.origin}/?round=${round}`;
      chromium.start(page, [flag], `log-${round}`);
      await inTime(waiting, () => `${what} of round ${round}`);
    }

    /** Kills the browser of this round and checks what was found and said so far. */
    async function end(round: number): Promise<void> {
      await chromium.kill();
      if (readFileSync(join(folder, `log-${round}`), "utf8").includes(DELETED)) deleted.add(round);
      assert.deepEqual(problems, []);
      let least = 0;
      for (let i = 0; i <= round; i++) {
        if (deleted.has(i)) {
          assert.ok(!opened.has(i - 1), `round ${i}: deleted, although the database was opened before`);
          least = 0;
        }
        const n = opened.get(i);
        assert.ok(n === undefined || n >= least, `round ${i} found eval ${n}, but ${least} was committed`);
        least = Math.max(least, n ?? 0, committed.get(i) ?? 0);
      }
    }
  });
}
