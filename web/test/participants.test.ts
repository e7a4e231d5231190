/**
 * Participants of commits: their records never disagree with the tables nor with each other, whatever fails,
 * and do not concern programs that do not attach them.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, suite, test } from "node:test";
import { Loader } from "#js/storage/loader.js";
import { crc32 } from "#js/storage/crc32.js";
import { openStore } from "#js/storage/open_store.js";
import type { CommitParticipant, ParticipantChange } from "#js/storage/participants.js";
import { encodeParticipantRecord, parseKey } from "#js/storage/records.js";
import { TableStore } from "#js/storage/table_store.js";
import type { Backend } from "#js/storage/write_behind.js";
import { openFile } from "../src/storage/file/open.ts";
import { Lua } from "../src/index.ts";
import { Random, settled } from "./helpers.ts";
import { RecordBackend, image } from "./record_backend.ts";

const SEQUENCES = 3000;
const FILE_SEQUENCES = 30;
const STEPS = 30;

/** Milliseconds longer than any test runs. */
const LONG_MS = 2 ** 31 - 1;

/**
 * Participant of named texts, as the memory of a VM. It knows nothing of storage but what it is notified of.
 */
class Memory implements CommitParticipant {
  texts: Map<string, string>;
  changed: Set<string> = new Set();
  /** Names of taken changes whose end is still open. */
  underWay: string[] | null = null;
  /** Number of calls of each method. */
  counts = { taken: 0, succeeded: 0, failed: 0, markAllDirty: 0 };
  wait = 0;
  /** Error that `takeChanges` throws. */
  refuses: Error | null = null;

  constructor(
    texts: Iterable<[string, string]> = [],
    readonly name: string = "mem",
  ) {
    this.texts = new Map(texts);
  }

  /** Makes one of the records that a store has read, and gives away. */
  static of(store: TableStore, name = "mem"): Memory {
    const decoder = new TextDecoder();
    const { records, damaged } = store.participants.takeFound(name);
    assert.equal(damaged, false);
    return new Memory(
      [...records].map(([name, bytes]) => [name, decoder.decode(bytes)]),
      name,
    );
  }

  set(name: string, text: string | null): void {
    if (text === null) this.texts.delete(name);
    else this.texts.set(name, text);
    this.changed.add(name);
  }

  image(): string {
    return JSON.stringify([...this.texts].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  takeChanges(): ParticipantChange[] {
    this.counts.taken += 1;
    if (this.refuses !== null) throw this.refuses;
    assert.ok(this.underWay === null || this.underWay.length === 0, "one commit at a time");
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
    assert.notEqual(this.underWay, null, "notified once of each commit");
    this.underWay = null;
  }

  failed(): void {
    this.counts.failed += 1;
    assert.notEqual(this.underWay, null, "notified once of each commit");
    for (const name of this.underWay ?? []) this.changed.add(name);
    this.underWay = null;
  }

  markAllDirty(): void {
    this.counts.markAllDirty += 1;
    for (const name of this.texts.keys()) this.changed.add(name);
  }

  pauseMs(): number {
    return this.wait;
  }
}

async function setUp(backend: RecordBackend = new RecordBackend()) {
  const store = await openStore(backend);
  const errors: Error[] = [];
  store.on("storage-error", (error: Error) => errors.push(error));
  const memory = Memory.of(store);
  store.attach(memory);
  /** One batch that changes both. */
  const write = (text: string) => {
    store.open("t").set("k", text);
    memory.set("m1", text);
    memory.set("m2", `${text}!`);
    store.endBatch();
    store.requestCommit();
  };
  return { backend, store, memory, errors, write };
}

/** Tables and memory that a program finds which opens it now. */
async function found(backend: Backend): Promise<string> {
  const store = await openStore(backend);
  const pair = `${image(store)} ${Memory.of(store).image()}`;
  await store.close();
  return pair;
}

/** Number of records that a store found, and true if they are damaged. */
function foundBy(store: TableStore): [number, boolean] {
  const { records, damaged } = store.participants.takeFound("mem");
  return [records.size, damaged];
}

const pairOf = (text: string) => `[["t",[["k","${text}"]]]] [["m1","${text}"],["m2","${text}!"]]`;

const participantKeys = (backend: RecordBackend) => [...backend.records.keys()].filter((key) => key[0] === "x").sort();

suite("the records of a participant", () => {
  test("are in the same commit as the tables, and come back", async () => {
    const { backend, store, memory, write } = await setUp();
    const commits: string[][] = [];
    backend.committed = (changes) => commits.push(changes.map(([key]) => key).sort());
    const told: unknown[] = [];
    store.on("commit", (detail) => told.push(detail));
    write("a");
    await store.flush();
    assert.deepEqual(commits, [["p1:0", "t1", "xmem:m1", "xmem:m2"]]);
    // The table's head, its page; two texts with their checksums.
    assert.deepEqual(told, [{ tables: 1, entries: 1, bytes: 29 + 9 + 5 + 6 }]);
    assert.deepEqual(memory.counts, { taken: 1, succeeded: 1, failed: 0, markAllDirty: 0 });
    assert.equal(await found(backend.survivor()), pairOf("a"));
    assert.deepEqual([...(await openStore(backend.survivor())).participants.takeFound("mem").records.keys()].sort(), [
      "m1",
      "m2",
    ]);
  });

  test("only those that changed are written, and a table alone or a participant alone is a commit, too", async () => {
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
    store.requestCommit();
    assert.equal(store.stats().storage.state, "scheduled");
    await store.flush();
    assert.deepEqual(keys, ["-xmem:m2", "xmem:m3"]);
    assert.equal(await found(backend.survivor()), '[["t",[["k","b"]]]] [["m1","a"],["m3",""]]');
    store.requestCommit();
    await store.flush();
    assert.equal(backend.commits, 3, "nothing has changed");
    // It has come and gone since the last commit: nothing is there to be removed.
    memory.set("fleeting", "x");
    memory.set("fleeting", null);
    memory.set("m1", "b");
    store.requestCommit();
    await store.flush();
    assert.deepEqual(keys, ["xmem:m1"]);
  });

  test("any bytes come back, under every kind of name", async () => {
    const random = new Random(1);
    const records: ParticipantChange[] = ["0", "z9", "abcdefghijklmnopqrstuvwx", "m12"].map((name, at) => [
      name,
      random.bytes([0, 1, 70_000, 1_100_000][at] as number),
    ]);
    const backend = new RecordBackend();
    const store = await openStore(backend);
    store.attach({
      name: "mem",
      takeChanges: () => records,
      succeeded() {},
      failed() {},
      markAllDirty() {},
      pauseMs: () => 0,
    });
    store.requestCommit();
    await store.flush();
    assert.equal(records.length, 4, "what it gave is its own");
    const read = (await openStore(backend.survivor())).participants.takeFound("mem").records;
    assert.equal(read.size, 4);
    for (const [name, bytes] of records) assert.deepEqual(Buffer.from(read.get(name) ?? []), Buffer.from(bytes ?? []));
  });

  test("other names are refused before anything is written", async () => {
    const { backend, store, write } = await setUp();
    write("a");
    await store.flush();
    for (const name of ["", "M1", "a:b", "a ", "a\n", "\xe9", "a".repeat(25)]) {
      assert.throws(() => encodeParticipantRecord("mem", name, new Uint8Array(1)), RangeError);
      assert.equal(parseKey(`xmem:${name}`), undefined);
    }
    store.attach({ name: "other", takeChanges: () => [["M1", null], ["M2", new Uint8Array(1)]], succeeded() {}, failed() {}, markAllDirty() {}, pauseMs: () => 0 }); // prettier-ignore
    store.open("t").set("k", "b");
    await assert.rejects(store.flush(), RangeError);
    assert.equal(await found(backend.survivor()), pairOf("a"));
    await store.close({ discard: true });
  });

  test("unknown records are still refused", async () => {
    for (const key of [
      "x",
      "xmem",
      "xmem:",
      "x:m1",
      "xM:m1",
      "xmem:M1",
      "xmem:m1:2",
      `xmem:${"a".repeat(25)}`,
      "ymem:m1",
    ]) {
      const { backend, store, write } = await setUp();
      write("a");
      await store.flush();
      backend.records.set(key, backend.records.get("xmem:m1") as Uint8Array);
      await assert.rejects(openStore(backend), { code: "corrupt" });
    }
  });

  test("storage that nobody has written to, or without a participant, has none", async () => {
    const backend = new RecordBackend();
    const store = await openStore(backend);
    assert.deepEqual(foundBy(store), [0, false]);
    store.open("t").set("k", "a");
    await store.close();
    assert.deepEqual(foundBy(await openStore(backend)), [0, false]);
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

  test("what failed comes again, as it is by then, and is notified once of each commit", async () => {
    const { backend, store, memory, errors, write } = await setUp();
    write("a");
    await store.flush();
    backend.fails = (commit) => commit === 2 || commit === 3;
    write("b");
    await assert.rejects(store.flush(), /commit 2 fails/);
    assert.equal(await found(backend.survivor()), pairOf("a"));
    memory.set("m9", "new");
    store.requestCommit();
    await assert.rejects(store.flush(), /commit 3 fails/);
    assert.equal(await found(backend.survivor()), pairOf("a"));
    memory.set("m9", null);
    write("c");
    await store.flush();
    assert.equal(await found(backend.survivor()), pairOf("c"));
    await settled();
    assert.equal(errors.length, 2);
    assert.deepEqual(memory.counts, { taken: 4, succeeded: 2, failed: 2, markAllDirty: 0 });
  });

  test("changes that cannot be taken are a commit that failed: the tables keep what they have, and nothing is written", async () => {
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
    assert.deepEqual(memory.counts, { taken: 4, succeeded: 2, failed: 0, markAllDirty: 0 });
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
    store.requestCommit();
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
    store.requestCommit();
    assert.equal(store.stats().storage.state, "idle");
    await store.flush();
    await store.close();
    assert.equal(memory.counts.taken, 1);
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
    store.attach(memory);
    await assert.rejects(store.flush(), /commit 2 fails/);
    assert.equal(await found(backend.survivor()), pairOf("a"));
    await store.flush();
    assert.equal(await found(backend.survivor()), '[["t",[["k","b"]]]] []');
    assert.equal(memory.counts.taken, 1);
    await store.close();
  });

  test("a commit that is under way has its participant, and notifies it", async () => {
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
    assert.deepEqual(memory.counts, { taken: 1, succeeded: 1, failed: 0, markAllDirty: 0 });
    await store.close();
  });

  test("so it is with a participant that is detached, and the next one begins anew", async () => {
    const { backend, store, memory, write } = await setUp();
    write("a");
    await store.flush();
    store.requestCommit();
    store.detach(memory);
    await store.flush();
    assert.equal(await found(backend.survivor()), pairOf("a"));
    store.open("t").set("k", "b");
    store.requestCommit();
    await store.flush();
    assert.equal(await found(backend.survivor()), '[["t",[["k","b"]]]] []');
    memory.markAllDirty();
    store.attach(memory);
    write("c");
    await store.flush();
    assert.equal(await found(backend.survivor()), pairOf("c"));
  });
});

suite("a program that does not attach it", () => {
  test("writes beside it and leaves it as it is", async () => {
    const { backend, store, write } = await setUp();
    write("a");
    await store.close();
    const before = ["xmem:m1", "xmem:m2"].map((key) => backend.records.get(key));
    const other = await openStore(backend);
    other.open("t").set("k", "b");
    other.drop("t");
    other.open("u").set("k", "c");
    other.requestCommit();
    await other.close();
    assert.deepEqual(
      ["xmem:m1", "xmem:m2"].map((key) => backend.records.get(key)),
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
    store.attach(memory);
    store.requestCommit();
    await store.flush();
    assert.equal(memory.counts.taken, 0);
    const alone = await openStore(new RecordBackend());
    alone.requestCommit();
    assert.equal(alone.stats().storage.state, "idle");
  });

  test("somebody who reads along sees the tables, and hears of nothing else", async () => {
    const { backend, store, memory, write } = await setUp();
    write("a");
    await store.flush();
    const xm1 = backend.records.get("xmem:m1") as Uint8Array;
    backend.records.set("xmem:m1", Uint8Array.of(...xm1).fill(0));
    const follower = await backend.follower();
    assert.deepEqual(foundBy(follower), [0, false]);
    const heard: unknown[] = [];
    follower.on("storage-error", (error) => heard.push(error));
    follower.on("change", ({ tables }: { tables: string[] }) => heard.push(tables));
    memory.set("m1", "b");
    memory.set("m2", null);
    store.requestCommit();
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
    assert.deepEqual([...foundBy(reader), reader.participants.member("mem").stored.size], [0, false, 0]);
  });

  test("a dump has the tables only, and one that has more is refused", async () => {
    const { backend, store, memory } = await setUp();
    memory.set("m1", "a");
    store.requestCommit();
    await store.close();
    const lua = await Lua.create({ storage: backend });
    lua.eval("ext.table('t').k = 'a'");
    await lua.flush();
    const dump = lua.dump();
    const tables = [...backend.records].filter(([key]) => key !== "xmem:m1");
    assert.equal(tables.length, 2);
    assert.deepEqual(dump, dumpOf(tables));
    lua.load(dumpOf(tables));
    assert.throws(() => lua.load(dumpOf([...tables, encodeParticipantRecord("mem", "m1", new Uint8Array(9))])), {
      code: "corrupt",
    });
    assert.equal(lua.table("t").get("k"), "a");
    await lua.close();
    assert.deepEqual(participantKeys(backend), ["xmem:m1"]);
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

suite("two participants", () => {
  /** A store with two memories, where one's name begins with the other's. */
  const both = async (backend = new RecordBackend()) => {
    const store = await openStore(backend);
    store.on("storage-error", () => {});
    const first = Memory.of(store, "m");
    const second = Memory.of(store, "m1");
    store.attach(first);
    store.attach(second);
    const write = (text: string) => {
      store.open("t").set("k", text);
      first.set("1x", text);
      second.set("x", `${text}!`);
      store.endBatch();
    };
    return { backend, store, first, second, write };
  };
  const allOfText = (text: string) => `[["t",[["k","${text}"]]]] [["1x","${text}"]] [["x","${text}!"]]`;

  test("have their own records in one commit, also where one's name begins with the other's", async () => {
    const { backend, store, first, second, write } = await both();
    const commits: string[][] = [];
    backend.committed = (changes) => commits.push(changes.map(([key]) => key).sort());
    write("a");
    await store.flush();
    assert.deepEqual(commits, [["p1:0", "t1", "xm1:x", "xm:1x"]]);
    const next = await both(backend.survivor());
    assert.deepEqual([next.first.image(), next.second.image()], ['[["1x","a"]]', '[["x","a!"]]']);
    // The same name in both, and a change of one alone.
    first.set("x", "first");
    await store.flush();
    store.requestCommit();
    await store.flush();
    assert.deepEqual(commits.at(-1), ["xm:x"]);
    assert.equal(await allFound(backend.survivor()), '[["t",[["k","a"]]]] [["1x","a"],["x","first"]] [["x","a!"]]');
    for (const { counts } of [first, second]) {
      assert.deepEqual([counts.succeeded, counts.failed], [2, 0], "each is notified of each commit");
    }
  });

  test("the same name twice, or one that is none, is refused; a name is free again when its participant is detached", async () => {
    const { backend, store, first, write } = await both();
    for (const name of ["m", "m1"]) {
      assert.throws(() => store.attach(new Memory([["1x", "other"]], name)), { code: "name" });
    }
    for (const name of ["", "M", "m:1", "m ", "a".repeat(25)]) {
      assert.throws(() => store.attach(new Memory([], name)), { code: "name" });
    }
    write("a");
    await store.flush();
    assert.equal(await allFound(backend.survivor()), allOfText("a"));
    store.detach(first);
    const other = new Memory([["2x", "other"]], "m");
    for (const name of store.participants.member("m").stored) other.set(name, null);
    other.markAllDirty();
    store.attach(other);
    assert.throws(() => store.attach(first), { code: "name" });
    store.requestCommit();
    await store.flush();
    assert.equal(await allFound(backend.survivor()), '[["t",[["k","a"]]]] [["2x","other"]] [["x","a!"]]');
  });

  test("fail together, and come again together", async () => {
    const { backend, store, first, second, write } = await both();
    write("a");
    await store.flush();
    backend.fails = (commit) => commit === 2;
    write("b");
    await assert.rejects(store.flush(), /commit 2 fails/);
    assert.equal(await allFound(backend.survivor()), allOfText("a"));
    assert.deepEqual([first.counts.failed, second.counts.failed], [1, 1]);
    first.set("1x", "c");
    await store.flush();
    assert.equal(await allFound(backend.survivor()), '[["t",[["k","b"]]]] [["1x","c"]] [["x","b!"]]');
  });

  test("when the changes of one cannot be taken, nothing is committed, and the other's come again", async () => {
    for (const refusing of ["first", "second"] as const) {
      const all = await both();
      const { backend, store, first, second, write } = all;
      write("a");
      await store.flush();
      write("b");
      all[refusing].refuses = new Error("not now");
      await assert.rejects(store.flush(), /not now/);
      assert.equal(await allFound(backend.survivor()), allOfText("a"));
      // Who was asked before is notified; who was asked in vain, or never, is not.
      assert.deepEqual([first.counts.failed, second.counts.failed], refusing === "first" ? [0, 0] : [1, 0]);
      all[refusing].refuses = null;
      await store.flush();
      assert.equal(await allFound(backend.survivor()), allOfText("b"));
    }
  });

  test("one is detached: its records are removed with the next change of anything, the other's stay", async () => {
    for (const change of ["table", "participant"]) {
      const { backend, store, first, second, write } = await both();
      write("a");
      await store.flush();
      store.detach(first);
      store.requestCommit();
      await store.flush();
      // Nothing else has changed: all is still of one moment.
      assert.equal(await allFound(backend.survivor()), allOfText("a"));
      if (change === "table") store.open("t").set("k", "b");
      else second.set("y", "b");
      store.requestCommit();
      await store.flush();
      assert.equal(
        await allFound(backend.survivor()),
        change === "table" ? '[["t",[["k","b"]]]] [] [["x","a!"]]' : '[["t",[["k","a"]]]] [] [["x","a!"],["y","b"]]',
      );
      assert.deepEqual([first.counts.taken, second.counts.taken > 2], [1, true]);
    }
  });

  test("one is detached and says so: what it gives is written once, and the rest of its records stay", async () => {
    const backend = new RecordBackend();
    const { store, second, write } = await both(backend);
    const leaving = Object.assign(new Memory([], "leaving"), {
      onDetach: (): ParticipantChange[] => [["d", new Uint8Array(0)]],
    });
    store.attach(leaving);
    leaving.set("m1", "a");
    write("a");
    await store.flush();
    backend.fails = (commit) => commit === 2;
    store.detach(leaving);
    assert.equal(store.stats().storage.state, "scheduled");
    await assert.rejects(store.flush(), /commit 2 fails/);
    const keys: string[][] = [];
    backend.committed = (changes) => keys.push(changes.map(([key]) => key));
    await store.flush();
    write("b");
    second.set("y", "b");
    await store.flush();
    assert.deepEqual(keys[0], ["xleaving:d"]);
    assert.deepEqual(keys.flat().filter((key) => key.startsWith("xleaving")), ["xleaving:d"]); // prettier-ignore
    assert.deepEqual([...Memory.of(await openStore(backend.survivor()), "leaving").texts], [["m1", "a"], ["d", ""]]); // prettier-ignore
  });

  test("the damage of one concerns neither the other nor the tables", async () => {
    const { backend, store, write } = await both();
    write("a");
    await store.close();
    (backend.records.get("xm:1x") as Uint8Array)[0] = 0;
    const next = await openStore(backend);
    assert.equal(image(next), '[["t",[["k","a"]]]]');
    assert.equal(next.participants.takeFound("m").damaged, true);
    const second = Memory.of(next, "m1");
    assert.equal(second.image(), '[["x","a!"]]');
    // Who begins anew has the names of all that there is.
    const first = new Memory([], "m");
    for (const name of next.participants.member("m").stored) first.set(name, null);
    first.set("2x", "anew");
    next.attach(first);
    next.attach(second);
    second.set("x", "b!");
    next.requestCommit();
    await next.close();
    assert.equal(await allFound(backend), '[["t",[["k","a"]]]] [["2x","anew"]] [["x","b!"]]');
  });

  test("only one is attached: the records of the other are left as they are", async () => {
    const { backend, store, write } = await both();
    write("a");
    await store.close();
    const next = await openStore(backend);
    const second = Memory.of(next, "m1");
    next.attach(second);
    second.set("x", "b!");
    next.open("t").set("k", "b");
    await next.close();
    assert.equal(await allFound(backend), '[["t",[["k","b"]]]] [["1x","a"]] [["x","b!"]]');
  });

  test("the program dies: both are gone when the tables are newer", async () => {
    const { backend, store, write } = await both();
    write("a");
    await store.flush();
    write("b");
    store.open("t").set("k", "half");
    store.abandon();
    await store.close();
    assert.equal(await allFound(backend), '[["t",[["k","b"]]]] [] []');
  });

  test("storage has lost everything: both are written again", async () => {
    const { backend, store, first, second, write } = await both();
    write("a");
    await store.flush();
    backend.records.clear();
    backend.fails = () => {
      throw Object.assign(new Error("cleared"), { code: "reset" });
    };
    store.open("t").set("k", "b");
    await assert.rejects(store.flush(), { code: "reset" });
    backend.fails = () => false;
    await store.flush();
    assert.deepEqual([first.counts.markAllDirty, second.counts.markAllDirty], [1, 1]);
    assert.equal(await allFound(backend.survivor()), '[["t",[["k","b"]]]] [["1x","a"]] [["x","a!"]]');
  });

  test("a commit that is torn at any record leaves all as it was", async () => {
    const folder = mkdtempSync(join(tmpdir(), "perilune-participants-"));
    after(() => rmSync(folder, { recursive: true }));
    const disk = new FileDisk(folder);
    const open = async () => {
      const store = await openStore(await disk.open());
      const memories = NAMES.map((name) => Memory.of(store, name));
      for (const memory of memories) store.attach(memory);
      return { store, memories };
    };
    const { store, memories } = await open();
    const lengths: number[] = [];
    for (const text of ["a", "b"]) {
      store.open("t").set("k", text);
      for (const memory of memories) memory.set("x", text);
      await store.flush();
      lengths.push(disk.bytes().length);
    }
    const bytes = disk.bytes();
    const moment = (text: string) => `[["t",[["k","${text}"]]]] [["x","${text}"]] [["x","${text}"]]`;
    for (let length = lengths[0] as number; length <= bytes.length; length++) {
      const torn = await allFound(await new FileDisk(folder, bytes.subarray(0, length)).open());
      assert.equal(torn, moment(length === lengths[1] ? "b" : "a"), `torn at ${length}`);
    }
    await store.close();
  });
});

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
    const keys = participantKeys(whole);
    assert.deepEqual(keys, ["xmem:empty", "xmem:long", "xmem:m1", "xmem:m2"]);
    const check = async (change: (records: Map<string, Uint8Array>) => void) => {
      const backend = whole.survivor();
      change(backend.records);
      const store = await openStore(backend);
      const { records, damaged } = store.participants.takeFound("mem");
      assert.equal(damaged, true);
      assert.equal(image(store), tables);
      assert.deepEqual(
        [...records].sort(),
        ["empty", "long", "m1", "m2"].map((name) => [name, new Uint8Array(0)]),
      );
      store.open("t").set("k", "b");
      await store.close();
      assert.deepEqual(participantKeys(backend), keys);
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

  test("a participant's record in the place of a table's is damage of the table", async () => {
    const backend = await filled();
    backend.records.set("p1:0", backend.records.get("xmem:m1") as Uint8Array);
    await assert.rejects(openStore(backend), { code: "corrupt" });
  });

  test("who comes next has the names, and can begin anew", async () => {
    const backend = await filled();
    (backend.records.get("xmem:long") as Uint8Array)[5] = 0;
    const store = await openStore(backend);
    const { records, damaged } = store.participants.takeFound("mem");
    assert.equal(damaged, true);
    const memory = new Memory();
    for (const name of records.keys()) memory.set(name, null);
    memory.set("m1", "anew");
    store.attach(memory);
    store.requestCommit();
    await store.close();
    assert.equal(await found(backend), `${tables} [["m1","anew"]]`);
  });
});

/** Place of records, with those that are left there when the program dies. */
interface Disk {
  open(): Promise<Backend>;
  /** Returns a copy of the present state in another place. */
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

/** Names of the participants of random programs. One begins with the other, so their keys are neighbours. */
const NAMES = ["m", "m1"];

/** Tables and memories that a program finds which opens it now. */
async function allFound(backend: Backend): Promise<string> {
  const store = await openStore(backend);
  const all = allOf(
    store,
    NAMES.map((name) => Memory.of(store, name)),
  );
  await store.close();
  return all;
}

function allOf(store: TableStore, memories: readonly Memory[]): string {
  return [image(store), ...memories.map((memory) => memory.image())].join(" ");
}

/**
 * Random programs that change tables and two memories. Whatever fails, and whenever they die, what is found
 * is of one moment.
 */
class Sequence {
  random;
  store = new TableStore();
  /** Memories by name, as in `NAMES`; an empty one for each that was detached. */
  memories: Memory[] = [];
  attached: Memory[] = [];
  failing = false;
  /** States after each batch since the last that surely is on disk. */
  moments = ["[] [] []"];
  /** Every moment that may ever have been there. */
  all = new Set(this.moments);
  /** The disk after each commit. */
  commits: Disk[] = [];
  /** Number of starts with a memory to go on with, and with all of them. */
  resumed = 0;
  resumedAll = 0;
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
    for (const memory of this.memories) memory.refuses = null;
    // One that began before may still fail.
    await this.flushes();
    await this.store.flush();
    assert.equal(await this.found(this.disk.copy()), this.moments.at(-1), `seed ${this.seed}: what was flushed`);
    for (const disk of this.commits) {
      const pair = await this.found(disk);
      assert.ok(this.all.has(pair), `seed ${this.seed}: ${pair} never was`);
    }
  }

  async found(disk: Disk): Promise<string> {
    return allFound(await disk.open());
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
    this.memories = NAMES.map((name) => Memory.of(this.store, name));
    for (const memory of this.memories) memory.wait = random.pick([0, 0, 1, LONG_MS]);
    const pair = this.pair();
    assert.ok(this.moments.includes(pair), `seed ${this.seed}: ${pair} is of no moment`);
    const { length } = this.memories.filter(({ texts }) => texts.size > 0);
    if (length > 0) this.resumed += 1;
    if (length === NAMES.length) this.resumedAll += 1;
    this.moments = [pair];
    this.attached = [...this.memories];
    // The order in which they come does not matter.
    if (random.below(2) === 0) this.attached.reverse();
    for (const memory of this.attached) this.store.attach(memory);
  }

  pair(): string {
    return allOf(this.store, this.memories);
  }

  remember(pair: string): void {
    this.moments.push(pair);
    this.all.add(pair);
  }

  change(): void {
    const { attached, random, store } = this;
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
      if (attached.length > 0) {
        random.pick(attached).set(`m${random.below(6)}`, random.below(4) === 0 ? null : text);
      }
    }
  }

  batch(): void {
    const { attached, random, store } = this;
    for (const memory of attached) {
      memory.refuses = this.failing && random.below(12) === 0 ? new Error("not now") : null;
    }
    this.change();
    store.endBatch();
    store.requestCommit();
    this.remember(this.pair());
  }

  async interlude(): Promise<void> {
    switch (this.random.below(12)) {
      case 0:
      case 1:
        return settled();
      case 2:
      case 3: {
        const newest = this.moments.length - 1;
        if (await this.flushes()) this.moments.splice(0, newest);
        return;
      }
      case 4:
        return this.crash();
      case 5:
        await this.die();
        return this.crash();
      case 6:
        if (this.random.below(3) === 0) this.leave();
    }
  }

  async flushes(): Promise<boolean> {
    return this.store.flush().then(
      () => true,
      () => false,
    );
  }

  /**
   * The VM dies in the middle of a batch. Storage has the tables, and the memories that belong to them, or
   * none.
   */
  async die(): Promise<void> {
    const { attached, store } = this;
    this.change();
    store.abandon();
    const taken = () => attached.map(({ counts }) => counts.taken);
    const before = taken();
    const tables = image(store);
    assert.ok(this.moments.at(-1)?.startsWith(`${tables} `), "half a batch is nowhere to be seen");
    this.remember(`${tables} [] []`);
    if (this.random.below(2) === 0 && (await this.flushes())) {
      const pair = await this.found(this.disk.copy());
      assert.ok(pair.startsWith(`${tables} `), `seed ${this.seed}: the tables of the dead are flushed`);
    }
    assert.deepEqual(taken(), before, "nothing is taken any more");
  }

  /**
   * Detaches one memory, without which the program goes on: it is not there any more when anything else is
   * newer.
   */
  leave(): void {
    const { attached, random, store } = this;
    if (attached.length === 0) return;
    const [memory] = attached.splice(random.below(attached.length), 1) as [Memory];
    if (random.below(2) === 0) memory.set("m0", "never committed");
    store.detach(memory);
    this.memories = this.memories.map((other) => (other === memory ? new Memory([], memory.name) : other));
    const other = attached[0];
    if (other !== undefined && random.below(2) === 0) other.set("m0", `after ${this.step}`);
    else store.open("a").set("k0", `after ${this.step}`);
    store.endBatch();
    store.requestCommit();
    this.remember(this.pair());
  }

  /** The page dies, perhaps in the middle of a commit, and starts again with what is on disk. */
  async crash(): Promise<void> {
    const { store, disk } = this;
    this.disk = disk.copy();
    for (const memory of this.memories) memory.refuses = null;
    await store.close({ discard: true });
    await this.start();
  }
}

suite("random programs", () => {
  test(`${SEQUENCES} sequences with failures, deaths and crashes`, async () => {
    let resumed = 0;
    let resumedAll = 0;
    for (let seed = 1; seed <= SEQUENCES; seed++) {
      const sequence = new Sequence(seed, new RecordDisk(new RecordBackend(), new Random(seed)));
      await sequence.run();
      resumed += sequence.resumed;
      resumedAll += sequence.resumedAll;
      await sequence.store.close();
    }
    assert.ok(resumed > 2 * SEQUENCES, `${resumed} times there was something to go on with`);
    assert.ok(resumedAll > SEQUENCES, `${resumedAll} times all memories were there`);
  });

  test("the same in files, whose ends are torn off, too", async () => {
    const folder = mkdtempSync(join(tmpdir(), "perilune-participants-"));
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
