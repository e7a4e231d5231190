/** One writer: in this process, in others, after those that died, and when many want to be it at once. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join, relative } from "node:path";
import process from "node:process";
import { after, suite, test } from "node:test";
import { fileURLToPath } from "node:url";
import { lockFile } from "../src/storage/file/file_lock.ts";
import { openFile } from "../src/storage/file/open.ts";
import { recordsOf, same } from "./backend_conformance.ts";
import { part, partArguments, startChild } from "./child.ts";
import { Random } from "./helpers.ts";
import { ManualClock, pause, until } from "./time.ts";

const here = fileURLToPath(import.meta.url);
const open = (path: string, lockTimeout = 0) => openFile(path, { durability: "relaxed", lockTimeout });
const bytes = (text: string) => new TextEncoder().encode(text);
/** A process that has ended. */
const deadPid = () => spawnSync(process.execPath, ["-e", "0"]).pid;
const lockText = (pid: number, began = "", host = hostname(), token = "t0") =>
  ["perilune lock 1", pid, began, host, token, ""].join("\n");

/**
 * Takes the lock over and over, and mostly leaves it behind like a process that died. A process that meets
 * another holder reports it.
 */
async function contend(path: string, rounds: number, seed: number): Promise<number> {
  const random = new Random(seed);
  const dead = deadPid();
  let met = 0;
  for (let round = 0; round < rounds; round += 1) {
    const lock = await lockFile(path, Infinity);
    try {
      closeSync(openSync(`${path}-inside`, "wx"));
    } catch {
      met += 1;
    }
    await pause(random.below(3));
    try {
      lock.verify();
    } catch {
      met += 1;
    }
    rmSync(`${path}-inside`, { force: true });
    if (random.below(3) === 0) {
      lock.release();
    } else {
      const text = readFileSync(path, "latin1").split("\n");
      text[1] = String(dead);
      writeFileSync(path, text.join("\n"));
    }
  }
  return met;
}

if (part === "hold") {
  await open(partArguments[0] ?? "");
  console.log("open");
  setInterval(() => {}, 1000);
} else if (part === "contend") {
  const [path = "", rounds, seed] = partArguments;
  const tasks = [0, 1, 2].map((task) => contend(path, Number(rounds), Number(seed) + task));
  console.log(`met ${(await Promise.all(tasks)).reduce((a, b) => a + b)}`);
} else {
  const folder = mkdtempSync(join(tmpdir(), "perilune-lock-"));
  after(() => rmSync(folder, { recursive: true }));
  let files = 0;
  const freshPath = () => join(folder, `${(files += 1)}.store`);

  suite("the lock", () => {
    test("keeps a second writer of this process out, by whatever path", async () => {
      const path = freshPath();
      const first = await open(path);
      symlinkSync(path, `${path}-link`);
      symlinkSync(folder, `${path}-folder`);
      const others = [path, relative(process.cwd(), path), `${path}-link`, join(`${path}-folder`, "1.store")];
      for (const other of others) {
        await assert.rejects(open(other), (error: Error & { code: string }) => {
          assert.equal(error.code, "locked");
          assert.ok(error.message.includes(path) && error.message.includes(String(process.pid)), error.message);
          return true;
        });
      }
      await first.close();
      for (const other of others) await (await open(other)).close();
    });

    test("can be waited for", async (t) => {
      const path = freshPath();
      const first = await open(path);
      const clock = new ManualClock(t);
      let refused: { code: string } | undefined;
      void open(path, 120).catch((error) => (refused = error));
      let waited = 0;
      // It looks again after each wait; that takes as long as the disk does.
      while (await until(() => clock.timers > 0 || refused).then(() => !refused)) {
        await clock.pass(10);
        waited += 10;
      }
      assert.deepEqual([refused?.code, waited], ["locked", 120]);
      t.mock.restoreAll();
      const waits = t.mock.method(globalThis, "setTimeout");
      const second = open(path, Infinity);
      await until(() => waits.mock.callCount() > 1);
      await first.commit([["k", bytes("v")]]);
      await first.close();
      const backend = await second;
      same(await recordsOf(backend), new Map([["k", bytes("v")]]));
      await backend.close();
    });

    test("of another process holds as long as that lives, and not a moment longer", async () => {
      const path = freshPath();
      const child = startChild(here, "hold", path);
      await child.says((line) => line === "open");
      await assert.rejects(open(path), (error: Error) => error.message.includes(`process ${child.pid}`));
      await child.kill();
      await (await open(path)).close();
      assert.deepEqual(
        readdirSync(folder).filter((name) => name.startsWith("3.store.")),
        [],
      );
    });

    test("of a process that ended while it waited is noticed", async (t) => {
      const path = freshPath();
      const child = startChild(here, "hold", path);
      await child.says((line) => line === "open");
      const waits = t.mock.method(globalThis, "setTimeout");
      const waiting = open(path, Infinity);
      await until(() => waits.mock.callCount() > 1);
      await child.kill();
      await (await waiting).close();
    });

    test("tells the dead from the living and from those it cannot know", async () => {
      const path = freshPath();
      const lock = `${path}.lock`;
      const living = readBegan(process.pid);
      const judged = async (text: string, ageMs = -1e6): Promise<string> => {
        writeFileSync(lock, text);
        const time = new Date(Date.now() - ageMs);
        utimesSync(lock, time, time);
        return open(path).then(
          async (backend) => {
            await backend.close();
            return "taken over";
          },
          (error: { code: string }) => {
            rmSync(lock);
            return error.code;
          },
        );
      };
      assert.equal(await judged(lockText(deadPid())), "taken over");
      assert.equal(await judged(lockText(process.pid)), "locked");
      assert.equal(await judged(lockText(process.pid, living)), "locked");
      // The number was given to another process since, or the machine was started again.
      if (living !== "") assert.equal(await judged(lockText(process.pid, "another-boot 123")), "taken over");
      assert.equal(await judged(lockText(deadPid(), "", "elsewhere")), "locked");
      assert.equal(await judged("perilune lock 2\nwho knows\n", 1e6), "locked");
      // A power cut may leave an empty file, or one of zeros.
      assert.equal(await judged("", 1e6), "taken over");
      assert.equal(await judged("\0".repeat(100), 1e6), "taken over");
      assert.equal(await judged(""), "locked");
    });

    test("that was lost lets nothing be written any more", async () => {
      const path = freshPath();
      const first = await open(path);
      await first.commit([["k", bytes("first")]]);
      rmSync(`${path}.lock`);
      const before = readFileSync(path);
      await assert.rejects(first.commit([["k", bytes("lost")]]), { code: "locked" });
      assert.deepEqual(readFileSync(path), before);
      const second = await open(path);
      await assert.rejects(first.commit([["k", bytes("lost")]]), { code: "locked" });
      await second.commit([["k", bytes("second")]]);
      await first.close();
      await assert.rejects(open(path), { code: "locked" });
      await second.commit([["l", bytes("second")]]);
      await second.close();
      const third = await open(path);
      same(
        await recordsOf(third),
        new Map([
          ["k", bytes("second")],
          ["l", bytes("second")],
        ]),
      );
      await third.close();
    });

    test("survives being touched: the file is ours as long as it has our text", async () => {
      const path = freshPath();
      const backend = await open(path);
      utimesSync(`${path}.lock`, 1, 1);
      await backend.commit([["k", bytes("v")]]);
      await backend.close();
    });

    test("has one holder at a time, however many take over from those that died", async () => {
      const path = join(folder, "contended");
      writeFileSync(path, lockText(deadPid()));
      const children = [10, 20, 30].map((seed) => startChild(here, "contend", path, "25", String(seed)));
      for (const child of children) {
        assert.equal(await child.says((line) => line.startsWith("met")), "met 0");
        await child.ended;
      }
      rmSync(path, { force: true });
      assert.deepEqual(
        readdirSync(folder).filter((name) => name.startsWith("contended")),
        [],
      );
    });
  });
}

/** Returns the start of a process in the form that locks have it. */
function readBegan(pid: number): string {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, "latin1");
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
    return `${boot} ${line.slice(line.lastIndexOf(")") + 2).split(" ")[19]}`;
  } catch {
    return "";
  }
}
