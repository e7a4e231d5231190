/** The write-behind queue with a backend that fails when told to, and time that stands still until told otherwise. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { TableStore, type TableChange } from "#js/table_store.js";
import { WriteBehind } from "#js/write_behind.js";
import { Random, settled } from "./helpers.ts";

class TestClock {
  timers: { work: () => void; ms: number }[] = [];
  soon = (work: () => void) => queueMicrotask(work);
  later = (work: () => void, ms: number) => {
    const timer = { work, ms };
    this.timers.push(timer);
    return timer;
  };
  cancel = (timer: { work: () => void; ms: number }) => {
    this.timers = this.timers.filter((other) => other !== timer);
  };

  fire(): void {
    const due = this.timers;
    this.timers = [];
    for (const { work } of due) work();
  }
}

/** A database in memory: commits wait for `release` when held, and fail when `fails` says so. */
class TestBackend {
  tables = new Map<number, { name: string; seq: number; entries: Map<number, { key: string; value: string }> }>();
  commits = 0;
  open = 0;
  closed = 0;
  fails: (commit: number) => boolean = () => false;
  held = false;
  releases: (() => void)[] = [];
  images: string[] = [];

  async commit(changes: Iterable<TableChange>): Promise<void> {
    assert.equal(this.open, 0, "one commit at a time");
    this.open += 1;
    const batch = structuredClone([...changes]);
    if (this.held) await new Promise<void>((resolve) => this.releases.push(resolve));
    this.open -= 1;
    this.commits += 1;
    if (this.fails(this.commits)) throw Object.assign(new Error(`commit ${this.commits} fails`), { code: "quota" });
    for (const { id, name, seq, fate, puts, removes } of batch) {
      if (fate === "dropped") {
        this.tables.delete(id);
        continue;
      }
      const entries = fate === "cleared" ? new Map() : (this.tables.get(id)?.entries ?? new Map());
      for (const gone of removes) entries.delete(gone);
      for (const [at, entry] of puts) entries.set(at, entry);
      this.tables.set(id, { name, seq, entries });
    }
    this.images.push(this.image());
  }

  async load() {
    return [...this.tables].map(([id, { name, seq, entries }]) => ({
      id,
      name,
      seq,
      entries: [...entries].sort(([a], [b]) => a - b).map(([at, entry]) => ({ seq: at, ...entry })),
    }));
  }

  close(): void {
    this.closed += 1;
  }

  /** Name, keys and values, comparable. */
  image(): string {
    const tables = [...this.tables.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    return JSON.stringify(
      tables.map(({ name, entries }) => [name, [...entries].sort(([a], [b]) => a - b).map(([, e]) => e)]),
    );
  }
}

function setUp() {
  const backend = new TestBackend();
  const clock = new TestClock();
  const writer = new WriteBehind(backend, clock);
  const store = new TableStore(writer);
  const events: unknown[] = [];
  store.on("commit", (detail) => events.push(detail));
  store.on("storage-error", (detail) => events.push(detail));
  const write = (key: string, value: string) => {
    store.open("t").set(key, value);
    store.endBatch();
  };
  return { backend, clock, writer, store, events, write };
}

suite("when all is well", () => {
  test("a batch is committed soon, without being asked", async () => {
    const { backend, write, events, store } = setUp();
    write("a", "1");
    assert.equal(store.stats().storage.state, "scheduled");
    assert.ok(store.stats().storage.pendingBytes > 0);
    await settled();
    assert.equal(backend.image(), '[["t",[{"key":"a","value":"1"}]]]');
    assert.deepEqual(store.stats().storage, { state: "idle", pendingBytes: 0 });
    assert.deepEqual(events, [{ tables: 1, entries: 1, bytes: 18 }]);
  });

  test("batches of one job are one commit; those that come during a commit are the next", async () => {
    const { backend, write, store } = setUp();
    write("a", "1");
    write("b", "2");
    backend.held = true;
    await settled();
    assert.equal(store.stats().storage.state, "committing");
    write("c", "3");
    write("a", "4");
    const done = store.flush();
    backend.held = false;
    for (const release of backend.releases) release();
    await done;
    assert.equal(backend.commits, 2);
    assert.deepEqual(backend.images, [
      '[["t",[{"key":"a","value":"1"},{"key":"b","value":"2"}]]]',
      '[["t",[{"key":"a","value":"4"},{"key":"b","value":"2"},{"key":"c","value":"3"}]]]',
    ]);
  });

  test("flush waits for what was written before it, not after", async () => {
    const { backend, write, store } = setUp();
    write("a", "1");
    await settled();
    backend.held = true;
    write("b", "1");
    const first = store.flush();
    await settled();
    write("c", "1");
    backend.releases.shift()?.();
    await first;
    assert.equal(backend.commits, 2);
    backend.held = false;
    await settled();
    backend.releases.shift()?.();
    await store.flush();
  });

  test("flush of nothing resolves", async () => {
    await setUp().store.flush();
    await new TableStore().flush();
  });

  test("close flushes, then closes the backend, once", async () => {
    const { backend, write, store } = setUp();
    write("a", "1");
    await Promise.all([store.close(), store.close()]);
    await store.close();
    assert.equal(backend.commits, 1);
    assert.equal(backend.closed, 1);
    assert.equal(store.stats().storage.state, "closed");
  });
});

suite("when a commit fails", () => {
  test("flush rejects with the cause, and the next one succeeds with everything", async () => {
    const { backend, write, store, events } = setUp();
    backend.fails = (commit) => commit === 1;
    write("a", "1");
    await assert.rejects(store.flush(), { code: "quota", message: "commit 1 fails" });
    assert.equal(store.stats().storage.state, "failed");
    assert.ok(store.stats().storage.pendingBytes > 0);
    write("a", "2");
    write("b", "1");
    await store.flush();
    assert.equal(backend.image(), '[["t",[{"key":"a","value":"2"},{"key":"b","value":"1"}]]]');
    await settled();
    assert.equal((events[0] as Error).message, "commit 1 fails");
    assert.deepEqual(events[1], { tables: 1, entries: 2, bytes: 36 });
  });

  test("it is tried again by itself, each time after a longer pause", async () => {
    const { backend, clock, write } = setUp();
    backend.fails = (commit) => commit <= 12;
    write("a", "1");
    await settled();
    const pauses: number[] = [];
    while (clock.timers.length > 0) {
      pauses.push(clock.timers[0]?.ms ?? 0);
      clock.fire();
      await settled();
    }
    assert.deepEqual(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000, 30000]);
    assert.equal(backend.image(), '[["t",[{"key":"a","value":"1"}]]]');
  });

  test("what waits in flush during a failure hears of it", async () => {
    const { backend, write, store } = setUp();
    backend.fails = (commit) => commit === 1;
    backend.held = true;
    write("a", "1");
    const first = assert.rejects(store.flush(), /commit 1 fails/);
    await settled();
    write("b", "1");
    const second = assert.rejects(store.flush(), /commit 1 fails/);
    backend.held = false;
    backend.releases.shift()?.();
    await Promise.all([first, second]);
    await store.flush();
    assert.equal(backend.image(), '[["t",[{"key":"a","value":"1"},{"key":"b","value":"1"}]]]');
  });

  test("close rejects and leaves everything open; discard lets go", async () => {
    const { backend, clock, write, store } = setUp();
    backend.fails = () => true;
    write("a", "1");
    await assert.rejects(store.close(), { code: "quota" });
    assert.equal(backend.closed, 0);
    assert.equal(store.open("t").get("a"), "1");
    write("b", "1");
    await store.close({ discard: true });
    assert.equal(backend.closed, 1);
    assert.equal(clock.timers.length, 0);
    await assert.rejects(
      Promise.resolve().then(() => store.open("t")),
      { code: "closed" },
    );
  });

  test("a discard during a commit waits for its end", async () => {
    const { backend, write, store } = setUp();
    backend.held = true;
    write("a", "1");
    await settled();
    const done = store.close({ discard: true });
    await settled();
    assert.equal(backend.closed, 0);
    backend.releases.shift()?.();
    await done;
    assert.equal(backend.closed, 1);
  });

  test("a backend that throws instead of rejecting is no worse", async () => {
    const { backend, write, store } = setUp();
    backend.commit = () => {
      throw new Error("at once");
    };
    write("a", "1");
    await assert.rejects(store.flush(), /at once/);
    assert.equal(store.stats().storage.state, "failed");
    await store.close({ discard: true });
  });

  test("when nobody listens the console hears of it", async (t) => {
    const spoken = t.mock.method(console, "error", () => {});
    const backend = new TestBackend();
    backend.fails = () => true;
    const store = new TableStore(new WriteBehind(backend, new TestClock()));
    store.open("t").set("a", "1");
    await assert.rejects(store.flush());
    assert.equal(spoken.mock.callCount(), 1);
    await store.close({ discard: true });
  });

  test("dropping, clearing and making again survive a failure in the right order", async () => {
    const { backend, store } = setUp();
    const t = store.open("t");
    t.set("old", "1");
    store.open("gone").set("x", "1");
    await store.flush();
    backend.fails = (commit) => commit === 2;
    t.clear();
    t.set("a", "1");
    store.drop("gone");
    await assert.rejects(store.flush());
    t.set("b", "2");
    t.remove("a");
    store.open("gone").set("y", "2");
    await store.flush();
    assert.equal(backend.image(), '[["gone",[{"key":"y","value":"2"}]],["t",[{"key":"b","value":"2"}]]]');
  });
});

suite("random failures", () => {
  test("every image on disk is the world after some batch, in order, and the last is the last", async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = new Random(seed);
      const { backend, clock, store } = setUp();
      backend.fails = () => random.below(3) === 0;
      const worlds = ["[]"];
      for (let step = 0; step < 60; step++) {
        for (let i = random.below(5); i >= 0; i--) operation(random, store, step);
        store.endBatch();
        worlds.push(image(store));
        if (random.below(3) === 0) await settled();
        if (random.below(4) === 0) await store.flush().catch(() => {});
        if (random.below(4) === 0) clock.fire();
      }
      backend.fails = () => false;
      // One that is under way may have failed already.
      await settled();
      await store.flush();
      let at = 0;
      for (const image of backend.images) {
        at = worlds.indexOf(image, at);
        assert.notEqual(at, -1, `seed ${seed}: a world between two batches`);
      }
      assert.equal(backend.image(), worlds.at(-1));
      assert.equal(image(await TableStore.load(new WriteBehind(backend))), worlds.at(-1));
    }
  });
});

function operation(random: Random, store: TableStore, step: number): void {
  const name = random.pick(["a", "b"]);
  switch (random.below(12)) {
    case 0:
      return void store.drop(name);
    case 1:
      return store.open(name).clear();
    case 2:
    case 3:
      return void store.open(name).remove(`k${random.below(8)}`);
    default:
      return store.open(name).set(`k${random.below(8)}`, `v${step}`);
  }
}

function image(store: TableStore): string {
  const tables = store
    .names()
    .sort()
    .map((name) => {
      const entries: { key: string; value: string }[] = [];
      const table = store.open(name);
      for (let e = table.next(0); e !== undefined; e = table.next(e.seq)) entries.push({ key: e.key, value: e.value });
      return [name, entries];
    });
  return JSON.stringify(tables);
}
