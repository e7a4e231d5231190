/**
 * The file backend on a disk that fails, in a process that dies, on a machine without power: at every
 * operation there is.
 */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { Backend } from "#js/storage/write_behind.js";
import { openLog, type Durability } from "../src/storage/file/file_backend.ts";
import { noise, recordsOf, same } from "./backend_conformance.ts";
import { Disk, FaultyFiles, type Fate } from "./faulty_files.ts";
import { Random } from "./helpers.ts";
import { settled, until } from "./time.ts";

type Records = Map<string, Uint8Array>;
type Change = readonly [string, Uint8Array | null];

const PATH = "/store";
const lock = { verify: async () => {}, release: async () => {} };

/** Commits of all kinds; on the way so much is overwritten that the log is written anew. */
const COMMITS: readonly Change[][] = [
  [
    ["a", noise(10)],
    ["b", noise(700, 2)],
  ],
  [["big", noise(600_000, 3)]],
  [
    ["a", null],
    ["big", noise(600_000, 4)],
    ["c", noise(0)],
  ],
  [["larger than a chunk", noise(1_200_000, 5)]],
  [
    ["big", noise(5, 6)],
    ["larger than a chunk", null],
    ["d", noise(3000, 6)],
  ],
  [["b", noise(40, 7)]],
  [
    ["e", noise(40, 8)],
    ["c", null],
  ],
  [["b", noise(41, 9)]],
];

function applied(records: Records, changes: readonly Change[]): Records {
  const next = new Map(records);
  for (const [key, bytes] of changes) {
    if (bytes === null) next.delete(key);
    else next.set(key, bytes);
  }
  return next;
}

/** Effects of one process on the disk. */
interface Life {
  /** The states that opening again may find; the last is the newest. */
  possible: Records[];
  /** Every state that there ever was. */
  history: Records[];
  operations: number;
}

/** Opens, commits all, closes; goes on after failures, unless dead. */
async function live(disk: Disk, fate: Fate, durability: Durability, before: Records[]): Promise<Life> {
  const files = new FaultyFiles(disk, fate, new Random(11));
  const life: Life = { possible: before, history: [...before], operations: 0 };
  let backend: Backend | undefined;
  for (let attempt = 0; backend === undefined && attempt < 40 && !files.dead; attempt += 1) {
    backend = await openLog(files, PATH, lock, durability).catch(() => undefined);
  }
  if (backend !== undefined) {
    // It has decided for one of them, which only the disk knows.
    let [current] = before;
    if (before.length > 1) current = await recordsOf(backend).catch(() => undefined);
    if (current !== undefined) life.possible = [current];
    for (const changes of COMMITS) {
      if (current === undefined || files.dead) break;
      const next = applied(current, changes);
      const done = await backend.commit(changes).then(
        () => true,
        () => false,
      );
      // A failed commit may be on the disk, whole, as long as neither cutting it off nor the next commit
      // succeeded.
      const cutOff = fate.name === "fail" && fate.times === 1;
      if (done) life.possible = [next];
      else if (!cutOff) life.possible = [...life.possible, next];
      life.history.push(next);
      if (done) current = next;
    }
    await Promise.resolve(backend.close()).catch(() => {});
  }
  life.operations = files.operations;
  return life;
}

async function found(disk: Disk): Promise<Records> {
  const files = new FaultyFiles(disk, { name: "none" }, new Random(1));
  const backend = await openLog(files, PATH, lock, "relaxed");
  const records = await recordsOf(backend);
  await backend.close();
  return records;
}

function isOneOf(records: Records, possible: Records[], what: string): void {
  const fits = possible.some((each) => {
    try {
      same(records, each);
      return true;
    } catch {
      return false;
    }
  });
  assert.ok(fits, `${what}: found ${[...records].map(([key, { length }]) => `${key}:${length}`).join()}`);
}

const nothing = (): Records[] => [new Map()];
const sound = new Disk();
const { operations } = await live(sound, { name: "none" }, "strict", nothing());
// 2.4 MB went into it.
assert.ok((sound.names.get(PATH)?.bytes.length ?? 0) < 100_000, "the log was written anew");

for (const durability of ["relaxed", "strict"] as const) {
  suite(`faults, ${durability}`, () => {
    test("commits that resolved stay, commits that failed go, whichever operation fails", async () => {
      assert.ok(operations >= 25, `${operations} operations`);
      for (let at = 0; at < operations; at += 1) {
        for (const times of [1, 2, 5]) {
          const disk = new Disk();
          const fate: Fate = { name: "fail", at, times, code: at % 2 === 0 ? "EIO" : "ENOSPC" };
          const { possible } = await live(disk, fate, durability, nothing());
          isOneOf(await found(disk), possible, `operations ${at} to ${at + times - 1} fail`);
        }
      }
    });

    test("a process may die in any operation, and its successor while it recovers", async () => {
      const random = new Random(5);
      for (let at = 0; at < operations; at += 1) {
        const disk = new Disk();
        const first = await live(disk, { name: "die", at }, durability, nothing());
        const second = await live(disk, { name: "die", at: random.below(12) }, durability, first.possible);
        isOneOf(await found(disk), second.possible, `dies in operation ${at}`);
      }
    });

    test("the power may fail in any operation", async () => {
      const random = new Random(6);
      for (let at = 0; at < operations; at += 1) {
        for (let round = 0; round < 6; round += 1) {
          const disk = new Disk();
          const { possible, history } = await live(disk, { name: "die", at }, durability, nothing());
          disk.powerCut(random);
          const records = await found(disk);
          isOneOf(records, durability === "strict" ? possible : history, `no power in operation ${at}`);
          // What was found is there to stay.
          disk.powerCut(random);
          same(await found(disk), records);
        }
      }
    });

    test("what a successor has seen stays, even if the power fails then", async () => {
      const random = new Random(8);
      for (let at = 0; at < operations; at += 1) {
        const disk = new Disk();
        await live(disk, { name: "die", at }, durability, nothing());
        const files = new FaultyFiles(disk, { name: "none" }, random);
        const seen = await recordsOf(await openLog(files, PATH, lock, durability));
        disk.powerCut(random);
        same(await found(disk), seen);
      }
    });

    test("the power may fail after a clean end", async () => {
      const random = new Random(7);
      for (let round = 0; round < 10; round += 1) {
        const disk = new Disk();
        const { possible } = await live(disk, { name: "none" }, durability, nothing());
        disk.powerCut(random);
        isOneOf(await found(disk), possible, "no power after closing");
      }
    });
  });
}

suite("errors", () => {
  test("have codes of ours and the original as cause", async () => {
    for (const [code, expected] of [
      ["ENOSPC", "quota"],
      ["EDQUOT", "quota"],
      ["EIO", "host"],
    ] as const) {
      const disk = new Disk();
      const files = new FaultyFiles(disk, { name: "none" }, new Random(1));
      const backend = await openLog(files, PATH, lock, "relaxed");
      files.fate = { name: "fail", at: files.operations, times: 1, code };
      const changes: Change[] = [["k", new Uint8Array(10)]];
      const error = await backend.commit(changes).catch((cause: unknown) => cause);
      assert.equal((error as { code: string }).code, expected);
      assert.equal(((error as Error).cause as { code: string }).code, code);
      await backend.commit(changes);
      same(await recordsOf(backend), new Map([["k", new Uint8Array(10)]]));
      await backend.close();
    }
  });

  test("of a sync in the background: the disk is trusted no more, and gets all of it anew", async () => {
    const disk = new Disk();
    const files = new FaultyFiles(disk, { name: "none" }, new Random(1));
    const backend = await openLog(files, PATH, lock, "relaxed");
    await backend.commit([["k", noise(1000)]]);
    const inode = disk.names.get(PATH);
    files.failingSyncs = 1;
    await until(() => files.failingSyncs === 0);
    await settled();
    await backend.commit([["l", noise(1000, 2)]]);
    await backend.close();
    assert.notEqual(disk.names.get(PATH), inode);
    disk.powerCut(new Random(1));
    same(
      await found(disk),
      new Map([
        ["k", noise(1000)],
        ["l", noise(1000, 2)],
      ]),
    );
  });

  test("of compaction are nobody's: the commit stands, and it is tried again", async () => {
    const disk = new Disk();
    const files = new FaultyFiles(disk, { name: "none" }, new Random(1));
    let refuse = true;
    const create = files.create.bind(files);
    let tries = 0;
    const backend = await openLog(files, PATH, lock, "relaxed");
    files.create = (path, mode) => {
      tries += 1;
      return refuse ? Promise.reject(Object.assign(new Error("full"), { code: "ENOSPC" })) : create(path, mode);
    };
    for (let n = 0; n < 40; n += 1) await backend.commit([["k", noise(100_000, n)]]);
    assert.ok(tries >= 2 && tries <= 4, `${tries} tries`);
    const size = () => disk.names.get(PATH)?.bytes.length ?? 0;
    assert.ok(size() > 4_000_000);
    refuse = false;
    for (let n = 0; n < 40; n += 1) await backend.commit([["k", noise(100_000, n)]]);
    assert.ok(size() < 3_000_000, `${size()} bytes`);
    same(await recordsOf(backend), new Map([["k", noise(100_000, 39)]]));
    await backend.close();
  });
});
