/**
 * The file backend by the contract of all backends; beside it the plainest one there can be, which shows what
 * it says.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { chmod, mkdir, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, suite, test } from "node:test";
import type { Backend } from "#js/storage/write_behind.js";
import { openFile } from "../src/storage/file/open.ts";
import { backendConformance, noise, recordsOf, same } from "./backend_conformance.ts";

const folder = mkdtempSync(join(tmpdir(), "perilune-file-"));
after(() => rmSync(folder, { recursive: true }));

let files = 0;
const freshPath = () => join(folder, `${(files += 1)}.perilune`);
const open = (path: string, durability: "relaxed" | "strict" = "relaxed") =>
  openFile(path, { durability, lockTimeout: 0 });

suite("a backend in memory", () => {
  const make = async () => {
    let records = new Map<string, Uint8Array>();
    const open = async (): Promise<Backend> => ({
      async load(visit, progress) {
        for (const [key, bytes] of records) visit(key, bytes.slice());
        progress?.(1, 1);
      },
      async commit(changes) {
        const next = new Map(records);
        for (const [key, bytes] of changes) {
          if (bytes === null) next.delete(key);
          else next.set(key, bytes);
        }
        records = next;
      },
      close() {},
    });
    return { open, cleanUp: async () => {} };
  };
  for (const [name, check] of backendConformance(make)) test(name, check);
});

for (const durability of ["relaxed", "strict"] as const) {
  suite(`the file backend, ${durability}`, () => {
    const make = async () => {
      const path = freshPath();
      return { open: () => open(path, durability), cleanUp: async () => rmSync(path) };
    };
    for (const [name, check] of backendConformance(make)) test(name, check);
  });
}

suite("a file", () => {
  test("is made when it is missing or empty, and is not changed by opening and closing", async () => {
    const missing = freshPath();
    const empty = freshPath();
    writeFileSync(empty, "", { mode: 0o640 });
    await chmod(empty, 0o640);
    for (const path of [missing, empty]) {
      await (await open(path)).close();
      const made = readFileSync(path);
      assert.equal(made.subarray(0, 8).toString(), "PERILUNE");
      await (await open(path)).close();
      assert.deepEqual(readFileSync(path), made);
      assert.throws(() => statSync(`${path}.lock`), { code: "ENOENT" });
    }
    assert.equal(statSync(empty).mode & 0o777, 0o640);
  });

  test("has a path that makes sense", async () => {
    await mkdir(join(folder, "sub"));
    await symlink(join(folder, "nowhere"), join(folder, "dangling"));
    for (const path of ["", "a\0b", folder, join(folder, "no/such/file"), join(folder, "dangling")]) {
      await assert.rejects(open(path), { code: "name" }, path);
    }
    await assert.rejects(open(join(folder, "no/such/file")), /the folder .*no\/such does not exist/);
  });

  test("stays small when the same is written over and over, and keeps its mode", async () => {
    const path = freshPath();
    const backend = await open(path);
    await chmod(path, 0o600);
    const model = new Map<string, Uint8Array>();
    for (let n = 0; n < 400; n += 1) {
      model.set(`k${n % 7}`, noise(30_000, n));
      await backend.commit([[`k${n % 7}`, noise(30_000, n)]]);
    }
    same(await recordsOf(backend), model);
    // 12 MB were written; live are 210 KB.
    assert.ok(statSync(path).size < 1_700_000, `${statSync(path).size} bytes`);
    await backend.close();
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.throws(() => statSync(`${path}.new`), { code: "ENOENT" });
    const again = await open(path);
    same(await recordsOf(again), model);
    await again.close();
  });

  test("lets the event loop in after every slice of work while much is committed", async (t) => {
    const backend = await open(freshPath());
    let turns = 0;
    let counting = setImmediate(function count() {
      turns += 1;
      counting = setImmediate(count);
    });
    // Each look at the clock takes a millisecond: a slice is over after as many looks on every machine.
    let ms = 0;
    t.mock.method(performance, "now", () => (ms += 1));
    const pulled: number[] = [];
    const looks: number[] = [];
    const large = new Uint8Array(64 * 1024 * 1024);
    const changes = function* (): Generator<[string, Uint8Array]> {
      const all = [
        ...Array.from({ length: 20_000 }, (_, n): [string, Uint8Array] => [`k${n}`, new Uint8Array(50)]),
        ["large", large] as [string, Uint8Array],
        ...Array.from({ length: 5_000 }, (_, n): [string, Uint8Array] => [`l${n}`, new Uint8Array(2500)]),
      ];
      for (const change of all) {
        pulled.push(turns);
        looks.push(ms);
        yield change;
      }
    };
    await backend.commit(changes());
    clearImmediate(counting);
    t.mock.restoreAll();
    let [most, inOneTurn] = [0, 0];
    pulled.forEach((turn, at) => {
      inOneTurn = turn === pulled[at - 1] ? inOneTurn + 1 : 1;
      most = Math.max(most, inOneTurn);
    });
    assert.ok(most < 12, `${most} records in one turn`);
    // Of the large one a part at a time is summed up.
    assert.ok((looks[20_001] as number) - (looks[20_000] as number) >= 64);
    await backend.close();
  });

  test("refuses a key that it cannot keep, and stays usable", async () => {
    const backend = await open(freshPath());
    for (const key of ["k".repeat(65), "é"]) {
      await assert.rejects(backend.commit([[key, new Uint8Array(1)]]), RangeError);
    }
    await backend.commit([["k", new Uint8Array(1)]]);
    same(await recordsOf(backend), new Map([["k", new Uint8Array(1)]]));
    await backend.close();
    await assert.rejects(backend.commit([["k", null]]), { code: "closed" });
  });
});
