/** Reading along: whatever the writer does, the follower comes to the same records, by whole commits. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, suite, test } from "node:test";
import { followFile } from "../src/storage/file/follow.ts";
import { openFile } from "../src/storage/file/open.ts";
import { noise, recordsOf, same } from "./backend_conformance.ts";
import { Random } from "./helpers.ts";
import { pause, until } from "./time.ts";

type Records = Map<string, Uint8Array>;

const folder = mkdtempSync(join(tmpdir(), "perilune-follow-"));
after(() => rmSync(folder, { recursive: true }));
let files = 0;
const freshPath = () => join(folder, `${(files += 1)}.store`);
const open = (path: string) => openFile(path, { durability: "relaxed", lockTimeout: 0 });
const bytes = (text: string) => new TextEncoder().encode(text);

/** A follower, and what it knows. */
async function following(path: string) {
  const follower = await followFile(path);
  let records: Records = await recordsOf(follower);
  const calls: { keys: string[]; complete: boolean }[] = [];
  follower.follow((changes, complete) => {
    const list = [...changes];
    calls.push({ keys: list.map(([key]) => key), complete });
    if (complete) records = new Map();
    for (const [key, value] of list) {
      if (value === null) records.delete(key);
      else records.set(key, value);
    }
    // Both are in every commit.
    assert.deepEqual(records.get("from"), records.get("to"));
  }, assert.fail);
  const comesTo = (expected: Records) =>
    until(() => {
      try {
        same(records, expected);
        return true;
      } catch {
        return false;
      }
    });
  return { follower, calls, comesTo };
}

suite("a follower", () => {
  test("loads what there is, then hears of each commit", async () => {
    const path = freshPath();
    const backend = await open(path);
    await backend.commit([["a", bytes("1")]]);
    const { follower, calls, comesTo } = await following(path);
    await comesTo(new Map([["a", bytes("1")]]));
    await backend.commit([
      ["b", bytes("2")],
      ["a", null],
    ]);
    await comesTo(new Map([["b", bytes("2")]]));
    await backend.commit([["large", noise(3_000_000)]]);
    await comesTo(
      new Map([
        ["b", bytes("2")],
        ["large", noise(3_000_000)],
      ]),
    );
    assert.deepEqual(calls, [
      { keys: ["b", "a"], complete: false },
      { keys: ["large"], complete: false },
    ]);
    await backend.close();
    await pause(50);
    await follower.close();
    assert.equal(calls.length, 2);
  });

  test("waits for a file that is missing, and one that is empty", async () => {
    const missing = freshPath();
    const empty = freshPath();
    writeFileSync(empty, "");
    for (const path of [missing, empty]) {
      const { follower, calls, comesTo } = await following(path);
      await comesTo(new Map());
      const backend = await open(path);
      await backend.commit([["k", bytes("v")]]);
      await comesTo(new Map([["k", bytes("v")]]));
      assert.equal(calls[0]?.complete, true);
      await backend.close();
      await follower.close();
    }
  });

  test("follows into the log that took the old one's place", async () => {
    const path = freshPath();
    const backend = await open(path);
    await backend.commit([["gone", bytes("x")]]);
    const { follower, calls, comesTo } = await following(path);
    await backend.commit([["gone", null]]);
    for (let n = 0; n < 40; n += 1) await backend.commit([["big", noise(100_000, n)]]);
    await comesTo(new Map([["big", noise(100_000, 39)]]));
    await backend.commit([["after", bytes("1")]]);
    await comesTo(
      new Map([
        ["big", noise(100_000, 39)],
        ["after", bytes("1")],
      ]),
    );
    assert.ok(calls.some(({ complete }) => complete));
    await backend.close();
    await follower.close();
  });

  test("comes to the same as the writer, whatever that does, and sees no half of a commit", async () => {
    const path = freshPath();
    const random = new Random(9);
    const model: Records = new Map();
    let backend = await open(path);
    const { follower, comesTo } = await following(path);
    for (let n = 0; n < 300; n += 1) {
      const changes: Records = new Map([["from", bytes(String(n))]]);
      for (let k = random.below(6); k > 0; k -= 1) changes.set(`k${random.below(20)}`, noise(random.below(30_000), n));
      changes.set("to", bytes(String(n)));
      if (n % 10 === 3) {
        const broken = function* () {
          yield* changes;
          throw new Error("broken");
        };
        await backend.commit(broken()).catch(() => {});
        continue;
      }
      await backend.commit(changes);
      for (const [key, value] of changes) model.set(key, value);
      if (n % 60 === 50) {
        await backend.close();
        backend = await open(path);
      }
      if (n % 7 === 0) await pause(random.below(5));
    }
    await comesTo(model);
    await backend.close();
    await comesTo(model);
    await follower.close();
  });

  test("changes nothing, and leaves what is unfinished alone", async () => {
    const path = freshPath();
    const backend = await open(path);
    await backend.commit([["k", bytes("v")]]);
    const tail = readFileSync(path).subarray(1536, 1540);
    writeFileSync(path, tail, { flag: "a" });
    const before = readFileSync(path);
    const { follower, comesTo } = await following(path);
    await comesTo(new Map([["k", bytes("v")]]));
    await pause(30);
    assert.deepEqual(readFileSync(path), before);
    await backend.commit([["k", bytes("w")]]);
    await comesTo(new Map([["k", bytes("w")]]));
    await follower.close();
    await backend.close();
    assert.throws(() => statSync(`${path}.lock`), { code: "ENOENT" });
  });

  test("refuses what the writer would refuse", async () => {
    const path = freshPath();
    for (const [text, code] of [
      ["Dear diary", "foreign"],
      ["PERILUNE\x02\0\0\0", "newer"],
      ["PERILUNE\x01\0\0\0", "corrupt"],
    ] as const) {
      writeFileSync(path, text, "latin1");
      await assert.rejects(recordsOf(await followFile(path)), { code });
    }
    rmSync(path);
    const backend = await open(path);
    await backend.commit([["k", bytes("value")]]);
    await backend.close();
    const damaged = readFileSync(path);
    damaged[1560] = (damaged[1560] as number) ^ 1;
    writeFileSync(path, damaged);
    await assert.rejects(recordsOf(await followFile(path)), { code: "corrupt" });
    await assert.rejects(followFile(join(folder, "no/store")), { code: "name" });
  });
});
