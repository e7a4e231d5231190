/**
 * What is kept beside the tables and committed with them: it never disagrees with them, whatever fails, and it stands in
 * nobody's way who knows nothing of it.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, suite, test } from "node:test";
import { Loader } from "#js/storage/loader.js";
import { crc32 } from "#js/storage/crc32.js";
import { openStore } from "#js/storage/open_store.js";
import { encodeCompanion, parseKey } from "#js/storage/records.js";
import { TableStore, type Companion, type CompanionChange } from "#js/storage/table_store.js";
import type { Backend } from "#js/storage/write_behind.js";
import { openFile } from "../src/storage/file/open.ts";
import { Lua } from "../src/index.ts";
import { Random, settled } from "./helpers.ts";
import { RecordBackend, image } from "./record_backend.ts";

const SEQUENCES = 3000;
const FILE_SEQUENCES = 30;
const STEPS = 30;

/** For as long as nobody asks. */
const LONG_MS = 2 ** 31 - 1;

/** Stands for the memory of a VM: named texts. It knows nothing of what storage has, but what it is told. */
class Memory implements Companion {
  texts: Map<string, string>;
  changed: Set<string> = new Set();
  /** Names of a cut that nobody has said anything about. */
  underWay: string[] | null = null;
  /** How often it was asked and told what. */
  counts = { cut: 0, succeeded: 0, failed: 0, markAllDirty: 0 };
  wait = 0;
  /** What `cut` throws. */
  refuses: Error | null = null;

  constructor(texts: Iterable<[string, string]> = []) {
    this.texts = new Map(texts);
  }

  /** What a store has read, which it gives away. */
  static of(store: TableStore): Memory {
    const decoder = new TextDecoder();
    const read = store.companionRecords;
    store.companionRecords = new Map();
    return new Memory([...read].map(([name, bytes]) => [name, decoder.decode(bytes)]));
  }

  set(name: string, text: string | null): void {
    if (text === null) this.texts.delete(name);
    else this.texts.set(name, text);
    this.changed.add(name);
  }

  image(): string {
    return JSON.stringify([...this.texts].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  cut(): CompanionChange[] {
    this.counts.cut += 1;
    if (this.refuses !== null) throw this.refuses;
    assert.ok(this.underWay === null || this.underWay.length === 0, "one cut at a time");
    this.underWay = [...this.changed];
    this.changed.clear();
    const encoder = new TextEncoder();
    return this.underWay.map((name) => {
      const text = this.texts.get(name);
      return [name, text === undefined ? null : encoder.encode(text)];
    });
  }

  succeeded(): void {
    this.counts.succeeded += 1;
    assert.notEqual(this.underWay, null, "told once of each cut");
    this.underWay = null;
  }

  failed(): void {
    this.counts.failed += 1;
    assert.notEqual(this.underWay, null, "told once of each cut");
    for (const name of this.underWay ?? []) this.changed.add(name);
    this.underWay = null;
  }

  markAllDirty(): void {
    this.counts.markAllDirty += 1;
    for (const name of this.texts.keys()) this.changed.add(name);
  }

  pause(): number {
    return this.wait;
  }
}

async function setUp(backend: RecordBackend = new RecordBackend()) {
  const store = await openStore(backend);
  const errors: Error[] = [];
  store.on("storage-error", (error: Error) => errors.push(error));
  const memory = Memory.of(store);
  store.accompany(memory);
  /** One batch that changes both. */
  const write = (text: string) => {
    store.open("t").set("k", text);
    memory.set("m1", text);
    memory.set("m2", `${text}!`);
    store.endBatch();
    store.touch();
  };
  return { backend, store, memory, errors, write };
}

/** Tables and memory as one who opens it now finds them. */
async function found(backend: Backend): Promise<string> {
  const store = await openStore(backend);
  assert.equal(store.companionDamaged, false);
  const pair = `${image(store)} ${Memory.of(store).image()}`;
  await store.close();
  return pair;
}

const pairOf = (text: string) => `[["t",[["k","${text}"]]]] [["m1","${text}"],["m2","${text}!"]]`;

const companionKeys = (backend: RecordBackend) => [...backend.records.keys()].filter((key) => key[0] === "x").sort();

suite("the records of a companion", () => {
  test("are in the same commit as the tables, and come back", async () => {
    const { backend, store, memory, write } = await setUp();
    const commits: string[][] = [];
    backend.committed = (changes) => commits.push(changes.map(([key]) => key).sort());
    const told: unknown[] = [];
    store.on("commit", (detail) => told.push(detail));
    write("a");
    await store.flush();
    assert.deepEqual(commits, [["p1:0", "t1", "xm1", "xm2"]]);
    // The table's head, its page; two texts with their checksums.
    assert.deepEqual(told, [{ tables: 1, entries: 1, bytes: 29 + 9 + 5 + 6 }]);
    assert.deepEqual(memory.counts, { cut: 1, succeeded: 1, failed: 0, markAllDirty: 0 });
    assert.equal(await found(backend.survivor()), pairOf("a"));
    assert.deepEqual([...(await openStore(backend.survivor())).companionRecords.keys()].sort(), ["m1", "m2"]);
  });

  test("only those that changed are written, and a table alone or a companion alone is a commit, too", async () => {
    const { backend, store, memory, write } = await setUp();
    write("a");
    await store.flush();
    let keys: string[] = [];
    backend.committed = (changes) => (keys = changes.map(([key, bytes]) => (bytes === null ? `-${key}` : key)).sort());
    store.open("t").set("k", "b");
    await store.flush();
    assert.deepEqual(keys, ["p1:0", "t1"]);
    memory.set("m2", null);
    memory.set("m3", "");
    store.touch();
    assert.equal(store.stats().storage.state, "scheduled");
    await store.flush();
    assert.deepEqual(keys, ["-xm2", "xm3"]);
    assert.equal(await found(backend.survivor()), '[["t",[["k","b"]]]] [["m1","a"],["m3",""]]');
    store.touch();
    await store.flush();
    assert.equal(backend.commits, 3, "nothing has changed");
    // It has come and gone since the last commit: nothing is there to be removed.
    memory.set("fleeting", "x");
    memory.set("fleeting", null);
    memory.set("m1", "b");
    store.touch();
    await store.flush();
    assert.deepEqual(keys, ["xm1"]);
  });

  test("any bytes come back, under every kind of name", async () => {
    const random = new Random(1);
    const records: CompanionChange[] = ["0", "z9", "abcdefghijklmnopqrstuvwx", "m12"].map((name, at) => [
      name,
      random.bytes([0, 1, 70_000, 1_100_000][at] as number),
    ]);
    const backend = new RecordBackend();
    const store = await openStore(backend);
    store.accompany({ cut: () => records, succeeded() {}, failed() {}, markAllDirty() {}, pause: () => 0 });
    store.touch();
    await store.flush();
    assert.equal(records.length, 4, "what it gave is its own");
    const read = (await openStore(backend.survivor())).companionRecords;
    assert.equal(read.size, 4);
    for (const [name, bytes] of records) assert.deepEqual(Buffer.from(read.get(name) ?? []), Buffer.from(bytes ?? []));
  });

  test("other names are refused before anything is written", async () => {
    const { backend, store, write } = await setUp();
    write("a");
    await store.flush();
    for (const name of ["", "M1", "a:b", "a ", "a\n", "\xe9", "a".repeat(25)]) {
      assert.throws(() => encodeCompanion(name, new Uint8Array(1)), RangeError);
      assert.equal(parseKey(`x${name}`), undefined);
    }
    store.accompany({ cut: () => [["M1", null], ["M2", new Uint8Array(1)]], succeeded() {}, failed() {}, markAllDirty() {}, pause: () => 0 }); // prettier-ignore
    store.open("t").set("k", "b");
    await assert.rejects(store.flush(), RangeError);
    assert.equal(await found(backend.survivor()), pairOf("a"));
    await store.close({ discard: true });
  });

  test("unknown records are still refused", async () => {
    for (const key of ["x", "xM", "x1:2", `x${"a".repeat(25)}`, "ym1"]) {
      const { backend, store, write } = await setUp();
      write("a");
      await store.flush();
      backend.records.set(key, backend.records.get("xm1") as Uint8Array);
      await assert.rejects(openStore(backend), { code: "corrupt" });
    }
  });

  test("storage that nobody has written to, or without a companion, has none", async () => {
    const backend = new RecordBackend();
    const store = await openStore(backend);
    assert.deepEqual([store.companionRecords.size, store.companionDamaged], [0, false]);
    store.open("t").set("k", "a");
    await store.close();
    assert.equal((await openStore(backend)).companionRecords.size, 0);
  });
});

suite("one moment", () => {
  test("a commit has what was there when it began, however long it takes", async () => {
    const { backend, store, write } = await setUp();
    const pairs: Promise<string>[] = [];
    backend.committed = () => pairs.push(found(backend.survivor()));
    const texts = ["b", "c", "d", "e", "f"];
    // After each record that the backend takes the program goes on.
    backend.between = () => {
      const text = texts.shift();
      if (text !== undefined) write(text);
    };
    write("a");
    while (texts.length > 0) await store.flush();
    await store.flush();
    assert.deepEqual(await Promise.all(pairs), [pairOf("a"), pairOf("e"), pairOf("f")]);
  });

  test("what failed comes again, as it is by then, and each flight is told once", async () => {
    const { backend, store, memory, errors, write } = await setUp();
    write("a");
    await store.flush();
    backend.fails = (commit) => commit === 2 || commit === 3;
    write("b");
    await assert.rejects(store.flush(), /commit 2 fails/);
    assert.equal(await found(backend.survivor()), pairOf("a"));
    memory.set("m9", "new");
    store.touch();
    await assert.rejects(store.flush(), /commit 3 fails/);
    assert.equal(await found(backend.survivor()), pairOf("a"));
    memory.set("m9", null);
    write("c");
    await store.flush();
    assert.equal(await found(backend.survivor()), pairOf("c"));
    await settled();
    assert.equal(errors.length, 2);
    assert.deepEqual(memory.counts, { cut: 4, succeeded: 2, failed: 2, markAllDirty: 0 });
  });

  test("a cut that throws is a commit that failed: the tables keep what they have, and nothing is written", async () => {
    const { backend, store, memory, errors, write } = await setUp();
    write("a");
    await store.flush();
    memory.refuses = new Error("not now");
    write("b");
    store.open("other").set("x", "1");
    await assert.rejects(store.flush(), /not now/);
    await settled();
    assert.equal(store.stats().storage.state, "failed");
    assert.ok(store.stats().storage.pendingBytes > 0);
    assert.deepEqual(errors, [memory.refuses]);
    assert.equal(backend.commits, 1);
    await assert.rejects(store.close(), /not now/);
    memory.refuses = null;
    // By itself, after a pause.
    await new Promise<void>((resolve) => store.on("commit", () => resolve()));
    assert.equal(await found(backend.survivor()), '[["t",[["k","b"]]],["other",[["x","1"]]]] [["m1","b"],["m2","b!"]]');
    assert.deepEqual(memory.counts, { cut: 4, succeeded: 2, failed: 0, markAllDirty: 0 });
    await store.close();
  });

  test("when storage has lost everything, both are written again", async () => {
    const { backend, store, memory, write } = await setUp();
    write("a");
    memory.set("m3", "old");
    await store.flush();
    backend.records.clear();
    backend.fails = () => {
      throw Object.assign(new Error("cleared"), { code: "reset" });
    };
    memory.set("m3", null);
    store.open("t").set("k2", "b");
    await assert.rejects(store.flush(), { code: "reset" });
    assert.equal(memory.counts.markAllDirty, 1);
    // What is not there any more is not removed: the backend of these tests would complain.
    backend.fails = () => false;
    await store.flush();
    assert.equal(await found(backend.survivor()), '[["t",[["k","a"],["k2","b"]]]] [["m1","a"],["m2","a!"]]');
  });

  test("close takes both; what it discards, it discards of both", async () => {
    const { backend, store, memory, write } = await setUp();
    memory.wait = LONG_MS;
    write("a");
    await store.close();
    assert.equal(await found(backend.survivor()), pairOf("a"));
    store.touch();
    const next = await setUp(backend);
    next.memory.wait = LONG_MS;
    next.write("b");
    await next.store.close({ discard: true });
    assert.equal(await found(backend.survivor()), pairOf("a"));
  });
});

suite("when the program dies", () => {
  test("what was half done is in no commit; the last pair stays", async () => {
    const { backend, store, memory, write } = await setUp();
    write("a");
    await store.flush();
    store.open("t").set("k", "half");
    memory.set("m1", "half");
    store.abandon();
    store.touch();
    assert.equal(store.stats().storage.state, "idle");
    await store.flush();
    await store.close();
    assert.equal(memory.counts.cut, 1);
    assert.equal(await found(backend), pairOf("a"));
  });

  test("tables that were ahead are written, and the memory that is older goes in the same commit", async () => {
    const { backend, store, memory, write } = await setUp();
    write("a");
    await store.flush();
    backend.fails = (commit) => commit === 2;
    memory.wait = LONG_MS;
    write("b");
    store.open("t").set("k", "half");
    memory.set("m1", "half");
    store.abandon();
    // There is nothing to be had of it any more.
    store.accompany(memory);
    await assert.rejects(store.flush(), /commit 2 fails/);
    assert.equal(await found(backend.survivor()), pairOf("a"));
    await store.flush();
    assert.equal(await found(backend.survivor()), '[["t",[["k","b"]]]] []');
    assert.equal(memory.counts.cut, 1);
    await store.close();
  });

  test("a commit that is under way has its companion, and tells it", async () => {
    const { backend, store, memory, write } = await setUp();
    backend.held = true;
    write("a");
    const done = store.flush();
    await settled();
    store.open("t").set("k", "half");
    memory.set("m1", "half");
    store.abandon();
    backend.held = false;
    backend.releases.shift()?.();
    await done;
    assert.equal(await found(backend.survivor()), pairOf("a"));
    assert.deepEqual(memory.counts, { cut: 1, succeeded: 1, failed: 0, markAllDirty: 0 });
    await store.close();
  });

  test("so it is with a companion that leaves, and the next one begins anew", async () => {
    const { backend, store, memory, write } = await setUp();
    write("a");
    await store.flush();
    store.touch();
    store.accompany(null);
    await store.flush();
    assert.equal(await found(backend.survivor()), pairOf("a"));
    store.open("t").set("k", "b");
    store.touch();
    await store.flush();
    assert.equal(await found(backend.survivor()), '[["t",[["k","b"]]]] []');
    memory.markAllDirty();
    store.accompany(memory);
    write("c");
    await store.flush();
    assert.equal(await found(backend.survivor()), pairOf("c"));
  });
});

suite("who knows nothing of it", () => {
  test("writes beside it and leaves it as it is", async () => {
    const { backend, store, write } = await setUp();
    write("a");
    await store.close();
    const before = ["xm1", "xm2"].map((key) => backend.records.get(key));
    const other = await openStore(backend);
    other.open("t").set("k", "b");
    other.drop("t");
    other.open("u").set("k", "c");
    other.touch();
    await other.close();
    assert.deepEqual(
      ["xm1", "xm2"].map((key) => backend.records.get(key)),
      before,
    );
    assert.equal(await found(backend), '[["u",[["k","c"]]]] [["m1","a"],["m2","a!"]]');
  });

  test("cannot write it again when storage has lost everything", async () => {
    const { backend, store, write } = await setUp();
    write("a");
    await store.close();
    const other = await openStore(backend);
    other.on("storage-error", () => {});
    backend.records.clear();
    backend.fails = () => {
      throw Object.assign(new Error("cleared"), { code: "reset" });
    };
    other.open("t").set("k", "b");
    await assert.rejects(other.flush(), { code: "reset" });
    backend.fails = () => false;
    await other.flush();
    assert.equal(await found(backend.survivor()), '[["t",[["k","b"]]]] []');
  });

  test("a store in memory has nothing to touch", async () => {
    const store = new TableStore();
    const memory = new Memory([["m1", "a"]]);
    store.accompany(memory);
    store.touch();
    await store.flush();
    assert.equal(memory.counts.cut, 0);
    const alone = await openStore(new RecordBackend());
    alone.touch();
    assert.equal(alone.stats().storage.state, "idle");
  });

  test("somebody who reads along sees the tables, and hears of nothing else", async () => {
    const { backend, store, memory, write } = await setUp();
    write("a");
    await store.flush();
    const xm1 = backend.records.get("xm1") as Uint8Array;
    backend.records.set("xm1", Uint8Array.of(...xm1).fill(0));
    const follower = await backend.follower();
    assert.deepEqual([follower.companionRecords.size, follower.companionDamaged], [0, false]);
    const heard: unknown[] = [];
    follower.on("storage-error", (error) => heard.push(error));
    follower.on("change", ({ tables }: { tables: string[] }) => heard.push(tables));
    memory.set("m1", "b");
    memory.set("m2", null);
    store.touch();
    await store.flush();
    await settled();
    assert.deepEqual(heard, []);
    write("c");
    await store.flush();
    await settled();
    assert.deepEqual(heard, [["t"]]);
    assert.equal(image(follower), '[["t",[["k","c"]]]]');
  });

  test("all records at once, to somebody who reads along", async () => {
    const { backend, store, write } = await setUp();
    write("a");
    await store.flush();
    const loader = new Loader(true, "ignored");
    for (const [key, bytes] of backend.records) loader.add(key, bytes);
    const reader = new TableStore();
    reader.load(loader);
    assert.equal(image(reader), '[["t",[["k","a"]]]]');
    assert.deepEqual([reader.companionRecords.size, reader.companionStored.size], [0, 0]);
  });

  test("a dump has the tables only, and one that has more is refused", async () => {
    const { backend, store, memory } = await setUp();
    memory.set("m1", "a");
    store.touch();
    await store.close();
    const lua = await Lua.create({ storage: backend });
    lua.eval("ext.table('t').k = 'a'");
    await lua.flush();
    const dump = lua.dump();
    const tables = [...backend.records].filter(([key]) => key !== "xm1");
    assert.equal(tables.length, 2);
    assert.deepEqual(dump, dumpOf(tables));
    lua.load(dumpOf(tables));
    assert.throws(() => lua.load(dumpOf([...tables, encodeCompanion("m1", new Uint8Array(9))])), { code: "corrupt" });
    assert.equal(lua.table("t").get("k"), "a");
    await lua.close();
    assert.deepEqual(companionKeys(backend), ["xm1"]);
  });
});

function dumpOf(records: [string, Uint8Array][]): Uint8Array {
  const number = (n: number) => new Uint8Array(Uint32Array.of(n).buffer);
  const body = Buffer.concat([
    Buffer.from("PERILUNE"),
    number(1),
    number(records.length),
    ...records.flatMap(([key, bytes]) => [Uint8Array.of(key.length), number(bytes.length), Buffer.from(key), bytes]),
  ]);
  return Uint8Array.from(Buffer.concat([body, number(crc32(body))]));
}

suite("damage", () => {
  const filled = async () => {
    const { backend, store, memory, write } = await setUp();
    write("a");
    memory.set("empty", "");
    memory.set("long", "x".repeat(3000));
    await store.close();
    return backend;
  };
  const tables = '[["t",[["k","a"]]]]';

  test("every flipped bit, and every record cut or swapped: it is said, none of it is given, and tables can be used", async () => {
    const whole = await filled();
    const random = new Random(7);
    const keys = companionKeys(whole);
    assert.deepEqual(keys, ["xempty", "xlong", "xm1", "xm2"]);
    const check = async (change: (records: Map<string, Uint8Array>) => void) => {
      const backend = whole.survivor();
      change(backend.records);
      const store = await openStore(backend);
      assert.equal(store.companionDamaged, true);
      assert.equal(image(store), tables);
      assert.deepEqual(
        [...store.companionRecords].sort(),
        ["empty", "long", "m1", "m2"].map((name) => [name, new Uint8Array(0)]),
      );
      store.open("t").set("k", "b");
      await store.close();
      assert.deepEqual(companionKeys(backend), keys);
    };
    for (const key of keys) {
      const bytes = whole.records.get(key) as Uint8Array;
      for (let bit = 0; bit < bytes.length * 8; bit += bytes.length > 100 ? random.below(500) : 1) {
        const flipped = bytes.slice();
        (flipped[bit >> 3] as number) ^= 1 << (bit & 7);
        await check((records) => records.set(key, flipped));
      }
      for (const length of [0, 1, 3, bytes.length - 1]) {
        await check((records) => records.set(key, bytes.slice(0, length)));
      }
      await check((records) => records.set(key, Uint8Array.of(...bytes, 0)));
      for (const other of [...whole.records.keys()].filter((other) => other !== key)) {
        await check((records) => records.set(key, whole.records.get(other) as Uint8Array));
      }
    }
  });

  test("a companion's record in the place of a table's is damage of the table", async () => {
    const backend = await filled();
    backend.records.set("p1:0", backend.records.get("xm1") as Uint8Array);
    await assert.rejects(openStore(backend), { code: "corrupt" });
  });

  test("who comes next has the names, and can begin anew", async () => {
    const backend = await filled();
    (backend.records.get("xlong") as Uint8Array)[5] = 0;
    const store = await openStore(backend);
    assert.equal(store.companionDamaged, true);
    const memory = new Memory();
    for (const name of store.companionRecords.keys()) memory.set(name, null);
    memory.set("m1", "anew");
    store.accompany(memory);
    store.touch();
    await store.close();
    assert.equal(await found(backend), `${tables} [["m1","anew"]]`);
  });
});

/** Where records are kept, and what is left there when the program dies. */
interface Disk {
  open(): Promise<Backend>;
  /** As it is now, in another place. */
  copy(): Disk;
}

class RecordDisk implements Disk {
  constructor(
    readonly records: RecordBackend,
    readonly random: Random,
  ) {}

  async open(): Promise<Backend> {
    const { random } = this;
    // A commit under way gives the program its turn.
    if (random.below(2) === 0) this.records.between = () => (random.below(4) === 0 ? settled() : undefined);
    return this.records;
  }

  copy(): Disk {
    return new RecordDisk(this.records.survivor(), this.random);
  }
}

class FileDisk implements Disk {
  static #files = 0;
  readonly path;

  constructor(
    readonly folder: string,
    bytes?: Uint8Array,
  ) {
    FileDisk.#files += 1;
    this.path = join(folder, `${FileDisk.#files}.perilune`);
    if (bytes !== undefined) writeFileSync(this.path, bytes);
  }

  open(): Promise<Backend> {
    return openFile(this.path, { durability: "relaxed", lockTimeout: 0 });
  }

  bytes(): Uint8Array {
    return readFileSync(this.path);
  }

  copy(): FileDisk {
    return new FileDisk(this.folder, this.bytes());
  }
}

/** Random programs that change both. Whatever fails, and whenever they die, what is found is a pair of one moment. */
class Sequence {
  random;
  store = new TableStore();
  memory = new Memory();
  failing = false;
  /** After each batch since the last that surely is on disk. */
  pairs = ["[] []"];
  /** Every pair that may ever have been there. */
  all = new Set(this.pairs);
  /** The disk after each commit. */
  commits: Disk[] = [];
  /** How often there was something to go on with. */
  resumed = 0;
  step = 0;

  constructor(
    readonly seed: number,
    public disk: Disk,
  ) {
    this.random = new Random(seed);
  }

  async run(): Promise<void> {
    await this.start();
    for (let step = 0; step < STEPS; step++) {
      this.batch();
      await this.interlude();
    }
    this.failing = false;
    this.memory.refuses = null;
    // One that began before may still fail.
    await this.flushes();
    await this.store.flush();
    assert.equal(await this.found(this.disk.copy()), this.pairs.at(-1), `seed ${this.seed}: what was flushed`);
    for (const disk of this.commits) {
      const pair = await this.found(disk);
      assert.ok(this.all.has(pair), `seed ${this.seed}: ${pair} never was`);
    }
  }

  async found(disk: Disk): Promise<string> {
    return found(await disk.open());
  }

  /** Opens what is on disk. Its commits may fail, some of them in the middle. */
  async start(): Promise<void> {
    const { disk, random } = this;
    const backend = await disk.open();
    const fault = random.pick([0, 0, 3]);
    this.failing = fault > 0;
    const faulty = function* (changes: Parameters<Backend["commit"]>[0], after: number) {
      for (const change of changes) {
        if (after-- === 0) break;
        yield change;
      }
      if (after < Infinity) throw new Error("this commit fails");
    };
    this.store = await openStore({
      load: (visit) => backend.load(visit),
      commit: async (changes) => {
        await backend.commit(faulty(changes, this.failing && random.below(fault) === 0 ? random.below(6) : Infinity));
        this.commits.push(disk.copy());
      },
      close: () => backend.close(),
    });
    this.store.on("storage-error", () => {});
    assert.equal(this.store.companionDamaged, false);
    this.memory = Memory.of(this.store);
    this.memory.wait = random.pick([0, 0, 1, LONG_MS]);
    const pair = this.pair();
    assert.ok(this.pairs.includes(pair), `seed ${this.seed}: ${pair} is of no moment`);
    if (this.memory.texts.size > 0) this.resumed += 1;
    this.pairs = [pair];
    this.store.accompany(this.memory);
  }

  pair(): string {
    return `${image(this.store)} ${this.memory.image()}`;
  }

  remember(pair: string): void {
    this.pairs.push(pair);
    this.all.add(pair);
  }

  change(): void {
    const { random, store, memory } = this;
    this.step += 1;
    const text = `${this.step}`.padEnd(random.pick([1, 1, 1, 1200]), "x");
    for (let i = random.below(4); i > 0; i--) {
      const table = random.pick(["a", "b"]);
      const key = `k${random.below(80)}`;
      if (random.below(12) === 0) store.drop(table);
      else if (random.below(3) === 0) store.open(table).remove(key);
      else store.open(table).set(key, text);
    }
    for (let i = random.below(4); i > 0; i--) {
      memory.set(`m${random.below(6)}`, random.below(4) === 0 ? null : text);
    }
  }

  batch(): void {
    const { memory, random, store } = this;
    memory.refuses = this.failing && random.below(8) === 0 ? new Error("not now") : null;
    this.change();
    store.endBatch();
    store.touch();
    this.remember(this.pair());
  }

  async interlude(): Promise<void> {
    switch (this.random.below(12)) {
      case 0:
      case 1:
        return settled();
      case 2:
      case 3: {
        const newest = this.pairs.length - 1;
        if (await this.flushes()) this.pairs.splice(0, newest);
        return;
      }
      case 4:
        return this.crash();
      case 5:
        await this.die();
        return this.crash();
    }
  }

  async flushes(): Promise<boolean> {
    return this.store.flush().then(
      () => true,
      () => false,
    );
  }

  /** The VM dies in the middle of a batch. Storage has the tables, and the memory that belongs to them, or none. */
  async die(): Promise<void> {
    const { memory, store } = this;
    this.change();
    store.abandon();
    const { cut } = memory.counts;
    const tables = image(store);
    assert.ok(this.pairs.at(-1)?.startsWith(`${tables} `), "half a batch is nowhere to be seen");
    this.remember(`${tables} []`);
    if (this.random.below(2) === 0 && (await this.flushes())) {
      const pair = await this.found(this.disk.copy());
      assert.ok(pair.startsWith(`${tables} `), `seed ${this.seed}: the tables of the dead are flushed`);
    }
    assert.equal(memory.counts.cut, cut, "nobody looks at it any more");
  }

  /** The page dies, perhaps in the middle of a commit, and starts again with what is on disk. */
  async crash(): Promise<void> {
    const { store, disk } = this;
    this.disk = disk.copy();
    this.memory.refuses = null;
    await store.close({ discard: true });
    await this.start();
  }
}

suite("random programs", () => {
  test(`${SEQUENCES} sequences with failures, deaths and crashes`, async () => {
    let resumed = 0;
    for (let seed = 1; seed <= SEQUENCES; seed++) {
      const sequence = new Sequence(seed, new RecordDisk(new RecordBackend(), new Random(seed)));
      await sequence.run();
      resumed += sequence.resumed;
      await sequence.store.close();
    }
    assert.ok(resumed > 2 * SEQUENCES, `${resumed} times there was something to go on with`);
  });

  test("the same in files, whose ends are torn off, too", async () => {
    const folder = mkdtempSync(join(tmpdir(), "perilune-companion-"));
    after(() => rmSync(folder, { recursive: true }));
    let opened = 0;
    for (let seed = 1; seed <= FILE_SEQUENCES; seed++) {
      const sequence = new Sequence(seed, new FileDisk(folder));
      await sequence.run();
      const bytes = (sequence.disk as FileDisk).bytes();
      for (let i = 0; i < 20; i++) {
        const torn = new FileDisk(folder, bytes.subarray(0, sequence.random.below(bytes.length + 1)));
        const pair = await sequence.found(torn).catch(({ code }: { code?: unknown }) => code);
        // Where the head is torn it is no file of ours.
        if (pair === "corrupt" || pair === "foreign") continue;
        assert.ok(sequence.all.has(pair as string), `seed ${seed}: ${String(pair)} never was`);
        opened += 1;
      }
      await sequence.store.close();
    }
    assert.ok(opened > 10 * FILE_SEQUENCES, `${opened} torn files could be opened`);
  });
});
