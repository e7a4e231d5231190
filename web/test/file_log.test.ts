/**
 * The bytes of a log: what is told from what, and what is refused. Any damage is found, or changes nothing.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, suite, test } from "node:test";
import { crc32 } from "#js/storage/crc32.js";
import type { Backend } from "#js/storage/write_behind.js";
import { openLog } from "../src/storage/file/file_backend.ts";
import { openFile } from "../src/storage/file/open.ts";
import { noise, recordsOf, same } from "./backend_conformance.ts";
import { Disk, FaultyFiles } from "./faulty_files.ts";
import { Random } from "./helpers.ts";
import { until } from "./time.ts";

type Records = Map<string, Uint8Array>;

const folder = mkdtempSync(join(tmpdir(), "perilune-log-"));
after(() => rmSync(folder, { recursive: true }));
const path = join(folder, "store");

const open = (durability: "relaxed" | "strict" = "relaxed") => openFile(path, { durability, lockTimeout: 0 });
const text = (of: string) => new TextEncoder().encode(of);

/** Makes a file by some commits and says what it holds. `ended` closes it, or not. */
async function made(
  commits: [string, Uint8Array | null][][],
  { durability = "relaxed", ended = true }: { durability?: "relaxed" | "strict"; ended?: boolean } = {},
): Promise<{ bytes: Buffer; ends: number[] }> {
  rmSync(path, { force: true });
  const backend = await open(durability);
  const ends = [readFileSync(path).length];
  for (const changes of commits) {
    await backend.commit(changes);
    ends.push(readFileSync(path).length);
  }
  const unended = readFileSync(path);
  await backend.close();
  return { bytes: ended ? readFileSync(path) : unended, ends };
}

const noLock = { verify: async () => {}, release: async () => {} };

/** Opens a file with these bytes: what is in it, or the code of the refusal, which must not change a byte. */
async function found(bytes: Uint8Array): Promise<Records | string> {
  const disk = new Disk();
  disk.put(path, bytes);
  const files = new FaultyFiles(disk, { name: "none" }, new Random(1));
  let backend: Backend;
  try {
    backend = await openLog(files, path, noLock, "relaxed");
  } catch (error) {
    const after = disk.names.get(path)?.bytes ?? new Uint8Array(0);
    assert.ok(Buffer.from(after).equals(bytes), "a file that is refused is not changed");
    return (error as { code: string }).code;
  }
  const records = await recordsOf(backend);
  await backend.close();
  return records;
}

const COMMITS: [string, Uint8Array | null][][] = [
  [
    ["first", text("one")],
    ["second", noise(300)],
  ],
  [
    ["first", text("two")],
    ["third", text("")],
  ],
  [
    ["second", null],
    ["fourth", text("4")],
  ],
];
const STATES: Records[] = [
  new Map(),
  new Map([
    ["first", text("one")],
    ["second", noise(300)],
  ]),
  new Map([
    ["first", text("two")],
    ["second", noise(300)],
    ["third", text("")],
  ]),
  new Map([
    ["first", text("two")],
    ["third", text("")],
    ["fourth", text("4")],
  ]),
];
const LAST = STATES[3] as Records;

suite("the format", () => {
  test("is the one of the documentation", async () => {
    const { bytes } = await made([
      [
        ["key", text("value")],
        ["other", text("")],
      ],
      [["key", null]],
    ]);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const salt = bytes.subarray(12, 20);
    assert.equal(bytes.toString("latin1", 0, 8), "PERILUNE");
    assert.equal(view.getUint32(8, true), 1);
    assert.equal(view.getUint32(20, true), crc32(bytes.subarray(0, 20)));

    const bound = (at: number, length: number) => {
      const offset = new Uint8Array(8);
      new DataView(offset.buffer).setBigUint64(0, BigInt(at), true);
      return crc32(bytes.subarray(at, at + length), crc32(Buffer.concat([salt, offset])));
    };
    for (const mark of [512, 1024]) {
      assert.equal(Number(view.getBigUint64(mark, true)), bytes.length);
      assert.equal(view.getUint32(mark + 8, true), bound(mark, 8));
    }

    // Each chunk by itself, and what the commits say.
    let chain = view.getUint32(20, true);
    const chunks: [type: number, payload: string][] = [];
    for (let at = 1536; at < bytes.length;) {
      assert.equal(bytes.toString("latin1", at, at + 4), "PLck");
      const length = view.getUint32(at + 8, true);
      const payload = bytes.subarray(at + 20, at + 20 + length);
      assert.equal(view.getUint32(at + 12, true), crc32(payload));
      assert.equal(view.getUint32(at + 16, true), bound(at, 16));
      const type = view.getUint32(at + 4, true);
      if (type === 1) {
        chunks.push([1, payload.toString("latin1")]);
      } else {
        assert.equal(payload.readUInt32LE(8), chain);
        chunks.push([2, String(payload.readBigUInt64LE(0))]);
      }
      chain = crc32(bytes.subarray(at, at + 16), chain);
      at += 20 + length;
    }
    assert.deepEqual(chunks, [
      [1, "\x03key\x05\0\0\0value\x05other\0\0\0\0"],
      [2, "1536"],
      [1, "\x03key\xff\xff\xff\xff"],
      // `relaxed`: nothing was synced in between.
      [2, "1536"],
    ]);
  });

  test("of something else or of later is refused, and left as it is", async () => {
    const { bytes } = await made(COMMITS);
    const patched = (at: number, ...patch: number[]) => {
      const copy = Buffer.from(bytes);
      copy.set(patch, at);
      return copy;
    };
    assert.equal(await found(patched(0, 0x70)), "foreign");
    assert.equal(await found(text("Dear diary")), "foreign");
    assert.equal(await found(text("PERI")), "foreign");
    assert.equal(await found(new Uint8Array(4096)), "foreign");
    assert.equal(await found(patched(8, 2)), "newer");
    const sound = patched(8, 2);
    sound.writeUInt32LE(crc32(sound.subarray(0, 20)), 20);
    assert.equal(await found(sound), "newer");
    assert.equal(await found(patched(8, 0)), "corrupt");
    for (const length of [8, 23, 24, 1024]) assert.equal(await found(bytes.subarray(0, length)), "corrupt");
    assert.equal(await found(patched(13, (bytes[13] as number) ^ 1)), "corrupt");
  });
});

suite("recovery", () => {
  test("a file that ends anywhere is the last commit that it holds", async () => {
    const { bytes, ends } = await made(COMMITS, { ended: false });
    for (let length = ends[0] as number; length <= bytes.length; length += 1) {
      const whole = ends.filter((end) => end <= length).length - 1;
      const records = await found(bytes.subarray(0, length));
      assert.ok(typeof records !== "string", `cut at ${length}: ${String(records)}`);
      same(records, STATES[whole] as Records);
    }
  });

  test("what follows a cut goes on from there", async () => {
    const { bytes, ends } = await made(COMMITS, { ended: false });
    writeFileSync(path, bytes.subarray(0, bytes.length - 1));
    const backend = await open();
    assert.equal(readFileSync(path).length, ends[2]);
    await backend.commit([["new", text("n")]]);
    await backend.close();
    const again = await open();
    same(await recordsOf(again), new Map(STATES[2]).set("new", text("n")));
    await again.close();
  });

  test("holes in what was not synced go back to the commit before them", async () => {
    const { bytes, ends } = await made(COMMITS, { ended: false });
    for (let commit = 1; commit < ends.length; commit += 1) {
      for (let at = ends[commit - 1] as number; at < (ends[commit] as number); at += 1) {
        const holed = Buffer.from(bytes);
        holed.fill(0, at, Math.min(at + 16, bytes.length));
        const records = await found(holed);
        assert.ok(typeof records !== "string", `hole at ${at}: ${String(records)}`);
        const isIn = (end: number) => !holed.subarray(0, end).equals(bytes.subarray(0, end));
        // The last bytes of a commit may be zeros already: then the hole is in the next one alone, if
        // anywhere.
        const damaged = ends.findIndex(isIn);
        same(records, damaged === -1 ? LAST : (STATES[damaged - 1] as Records));
      }
    }
  });

  test("with strict, damage in any commit but the last is refused", async () => {
    const { bytes, ends } = await made(COMMITS, { ended: false, durability: "strict" });
    for (let at = 1536; at < bytes.length; at += 1) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] as number) ^ 0x10;
      const records = await found(damaged);
      if (at < (ends[2] as number)) assert.equal(records, "corrupt", `byte ${at}`);
      else same(records as Records, STATES[2] as Records);
    }
  });

  test("relaxed: a second later the file says by itself up to where the disk has it", async () => {
    rmSync(path, { force: true });
    const backend = await open();
    for (const changes of COMMITS) await backend.commit(changes);
    const before = readFileSync(path);
    await until(() => !readFileSync(path).equals(before));
    const bytes = readFileSync(path);
    assert.equal(bytes.length, before.length);
    same((await found(bytes)) as Records, LAST);
    // As a kill leaves it; before, this would have been taken for the work of a power cut.
    for (const [image, expected] of [
      [before, "object"],
      [bytes, "string"],
    ] as const) {
      const damaged = Buffer.from(image);
      damaged[1600] = (damaged[1600] as number) ^ 1;
      const records = await found(damaged);
      assert.equal(typeof records, expected);
      if (expected === "string") assert.equal(records, "corrupt");
    }
    await backend.close();
  });

  test("a commit counts only behind its own chunks", async () => {
    const { bytes: base } = await made(COMMITS);
    // Two commits of the same shape at the same place, as when the first one fails and the second is written
    // over it.
    const written = async (seed: number) => {
      const disk = new Disk();
      disk.put(path, base);
      const files = new FaultyFiles(disk, { name: "none" }, new Random(1));
      const backend = await openLog(files, path, noLock, "relaxed");
      await backend.commit([
        ["x", noise(1_100_000, seed)],
        ["y", noise(1000, seed)],
      ]);
      return Buffer.from(disk.names.get(path)?.bytes ?? []);
    };
    const [first, second] = [await written(1), await written(2)];
    assert.equal(first.length, second.length);
    const cut = base.length + 20 + 6 + 1_100_000;
    assert.equal(second.toString("latin1", cut, cut + 4), "PLck");
    same((await found(Buffer.concat([second.subarray(0, cut), first.subarray(cut)]))) as Records, LAST);
    assert.equal(((await found(first)) as Records).size, LAST.size + 2);
  });

  test("a copy of the log as a value is not taken for the log", async () => {
    const { bytes: inner } = await made(COMMITS);
    const { bytes } = await made([[["inner", inner]], [["x", text("1")]]], { ended: false });
    // Tear the chunk that the copy is in: the copy's chunks must not be found by the search behind the
    // damage.
    const torn = Buffer.from(bytes);
    torn[1536 + 20] = 0;
    same((await found(torn)) as Records, new Map());
  });
});

suite("damage to a file that was closed", () => {
  const judged = async (bytes: Buffer, damaged: Buffer, what: string): Promise<string> => {
    if (damaged.equals(bytes)) return "same";
    const records = await found(damaged);
    if (typeof records !== "string") {
      same(records, LAST);
      return "same";
    }
    assert.match(records, /^(corrupt|foreign|newer)$/, what);
    return records;
  };

  for (const durability of ["relaxed", "strict"] as const) {
    test(`${durability}: any flipped bit is found, or changes nothing`, async () => {
      const { bytes } = await made(COMMITS, { durability });
      const counts: Record<string, number> = {};
      for (let at = 0; at < bytes.length; at += 1) {
        for (const flip of [1 << (at % 8), 0xff]) {
          const damaged = Buffer.from(bytes);
          damaged[at] = (damaged[at] as number) ^ flip;
          const result = await judged(bytes, damaged, `byte ${at}`);
          counts[result] = (counts[result] ?? 0) + 1;
          // A mark may go, as the other one says the same; between them is nothing.
          assert.equal(result === "same", at >= 24 && at < 1536, `byte ${at}: ${result}`);
        }
      }
      assert.ok((counts.corrupt ?? 0) > bytes.length - 1536, JSON.stringify(counts));
    });
  }

  test("so is any other: bytes here and there, blocks of zeros, blocks moved, the end cut off", async () => {
    const { bytes } = await made(COMMITS);
    const random = new Random(42);
    for (let round = 0; round < 600; round += 1) {
      let damaged = Buffer.from(bytes);
      const at = random.below(bytes.length - 40);
      const length = 1 + random.below(40);
      if (round % 5 === 0) damaged.set(random.bytes(length), at);
      else if (round % 5 === 1) damaged.fill(0, at, at + length);
      else if (round % 5 === 2) damaged.copyWithin(at, random.below(bytes.length - 40), random.below(bytes.length));
      else if (round % 5 === 3) damaged = damaged.subarray(0, 1 + random.below(bytes.length));
      else for (let n = 0; n < 8; n += 1) damaged[random.below(bytes.length)] = random.below(256);
      await judged(bytes, damaged, `round ${round}`);
    }
    for (let length = 1; length < bytes.length; length += 1) {
      assert.match(String(await found(bytes.subarray(0, length))), /^(foreign|corrupt)$/);
    }
  });

  test("after it was written anew, too", async () => {
    const commits = [...Array(30).keys()].map((n): [string, Uint8Array][] => [["big", noise(100_000, n)]]);
    const { bytes } = await made([...commits, ...COMMITS, [["big", null]]]);
    assert.ok(bytes.length < 1_300_000);
    const random = new Random(43);
    for (let round = 0; round < 60; round += 1) {
      const damaged = Buffer.from(bytes);
      const at = random.below(bytes.length);
      damaged[at] = (damaged[at] as number) ^ (1 << random.below(8));
      await judged(bytes, damaged, `byte ${at}`);
    }
  });

  test("bytes behind the end are none of it", async () => {
    const { bytes } = await made(COMMITS);
    for (const tail of ["\n", "\0".repeat(5000), "PLck"]) {
      same((await found(Buffer.concat([bytes, text(tail)]))) as Records, LAST);
    }
  });
});
