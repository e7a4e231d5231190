/**
 * The write-behind queue with a backend that fails when told to, and time that stands still until told
 * otherwise.
 */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { interruption } from "#js/storage/store_error.js";
import { TableStore } from "#js/storage/table_store.js";
import { WriteBehind } from "#js/storage/write_behind.js";
import { settled } from "./helpers.ts";
import { RecordBackend } from "./record_backend.ts";

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

function setUp() {
  const backend = new RecordBackend();
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
    assert.equal(await backend.image(), '[["t",[["a","1"]]]]');
    assert.deepEqual(store.stats().storage, { state: "idle", pendingBytes: 0 });
    // The table's own record, and a page with one entry.
    assert.deepEqual(events, [{ tables: 1, entries: 1, bytes: 29 + 9 }]);
  });

  test("batches of one job are one commit; those that come during a commit are the next", async () => {
    const { backend, write, store } = setUp();
    const images: Promise<string>[] = [];
    backend.committed = () => images.push(backend.image());
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
    assert.deepEqual(await Promise.all(images), [
      '[["t",[["a","1"],["b","2"]]]]',
      '[["t",[["a","4"],["b","2"],["c","3"]]]]',
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
    assert.equal(await backend.image(), '[["t",[["a","1"],["b","1"]]]]');
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
    assert.equal(await backend.image(), '[["t",[["a","2"],["b","1"]]]]');
    await settled();
    assert.equal((events[0] as Error).message, "commit 1 fails");
    assert.deepEqual(events[1], { tables: 1, entries: 3, bytes: 29 + 14 });
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
    assert.equal(await backend.image(), '[["t",[["a","1"]]]]');
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
    assert.equal(await backend.image(), '[["t",[["a","1"],["b","1"]]]]');
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

  test("one that was interrupted is made again at once, and nobody hears of it before the third in a row", async () => {
    const { backend, clock, write, store, events } = setUp();
    const { commit } = backend;
    let interruptions = 0;
    backend.commit = async (changes) => {
      const copy = [...changes];
      if (interruptions-- > 0) throw interruption(new Error("it broke off"));
      await commit.call(backend, copy);
    };
    for (const [times, value] of [
      [1, "1"],
      [2, "2"],
      [2, "3"],
    ] as const) {
      interruptions = times;
      write("a", value);
      await store.flush();
      assert.equal(await backend.image(), `[["t",[["a","${value}"]]]]`);
    }
    assert.equal(events.length, 3);
    interruptions = 3;
    write("a", "4");
    await assert.rejects(store.flush(), /it broke off/);
    assert.equal((events[3] as Error).message, "it broke off");
    assert.deepEqual([store.stats().storage.state, clock.timers.length], ["failed", 1]);
    // From then on as after any failure, and then as before.
    interruptions = 2;
    clock.fire();
    await store.flush();
    interruptions = 2;
    write("a", "5");
    await store.close();
    assert.equal(await backend.image(), '[["t",[["a","5"]]]]');
    assert.equal(events.length, 6);
  });

  test("when nobody listens the console hears of it", async (t) => {
    const spoken = t.mock.method(console, "error", () => {});
    const backend = new RecordBackend();
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
    assert.equal(await backend.image(), '[["t",[["b","2"]]],["gone",[["y","2"]]]]');
  });
});

suite("when storage has lost everything", () => {
  test("what it had before is written again, whether it was looked at or not", async () => {
    const { backend, write, store } = setUp();
    write("a", "1");
    store.open("other").set("b", "2");
    await store.flush();
    const before = await backend.image();
    backend.records.clear();
    backend.fails = () => {
      throw Object.assign(new Error("cleared"), { code: "reset" });
    };
    write("c", "3");
    await assert.rejects(store.flush(), { code: "reset" });
    backend.fails = () => false;
    await store.flush();
    assert.equal(await backend.image(), before.replace('["a","1"]', '["a","1"],["c","3"]'));
  });
});

suite("when commits are paced", () => {
  const setPause = (store: TableStore, get: () => number | null) => {
    Object.defineProperty(store, "pauseMs", { get, configurable: true });
  };
  const paced = (pause: () => number) => {
    const all = setUp();
    setPause(all.store, pause);
    return all;
  };

  test("each waits as long as is said then, and what comes meanwhile is in it", async () => {
    const pauses = [0, 250];
    const { backend, clock, write, store } = paced(() => pauses.shift() ?? 1000);
    write("a", "1");
    write("b", "1");
    await settled();
    // Not even without a pause in the current job.
    assert.equal(store.stats().storage.state, "scheduled");
    assert.deepEqual([backend.commits, clock.timers.map(({ ms }) => ms)], [0, [0]]);
    clock.fire();
    await settled();
    assert.deepEqual([backend.commits, store.stats().storage.state, clock.timers.length], [1, "idle", 0]);
    write("c", "1");
    assert.deepEqual(
      clock.timers.map(({ ms }) => ms),
      [250],
    );
    write("d", "1");
    clock.fire();
    await settled();
    assert.equal(await backend.image(), '[["t",[["a","1"],["b","1"],["c","1"],["d","1"]]]]');
    assert.equal(backend.commits, 2);
  });

  test("what comes during a commit waits after it", async () => {
    const { backend, clock, write, store } = paced(() => 500);
    backend.held = true;
    write("a", "1");
    clock.fire();
    await settled();
    write("b", "1");
    assert.deepEqual([store.stats().storage.state, clock.timers.length], ["committing", 0]);
    backend.held = false;
    backend.releases.shift()?.();
    await settled();
    assert.deepEqual([store.stats().storage.state, clock.timers.map(({ ms }) => ms)], ["scheduled", [500]]);
    clock.fire();
    await settled();
    assert.deepEqual([store.stats().storage.state, backend.commits], ["idle", 2]);
  });

  test("flush does not wait, neither for the pause nor for the next one", async () => {
    const { backend, clock, write, store } = paced(() => 500);
    write("a", "1");
    await store.flush();
    assert.deepEqual([backend.commits, clock.timers.length, store.stats().storage.state], [1, 0, "idle"]);
    backend.held = true;
    write("b", "1");
    const first = store.flush();
    await settled();
    write("c", "1");
    const second = store.flush();
    await settled();
    assert.equal(backend.commits, 2);
    backend.held = false;
    backend.releases.shift()?.();
    await Promise.all([first, second]);
    assert.deepEqual([backend.commits, clock.timers.length], [3, 0]);
    assert.equal(await backend.image(), '[["t",[["a","1"],["b","1"],["c","1"]]]]');
    await store.flush();
    assert.equal(backend.commits, 3);
  });

  test("close does not wait, and leaves no timer; nor does a discard", async () => {
    for (const discard of [false, true]) {
      const { backend, clock, write, store } = paced(() => 500);
      write("a", "1");
      assert.equal(clock.timers.length, 1);
      await store.close({ discard });
      assert.deepEqual([backend.commits, backend.closed, clock.timers.length], [discard ? 0 : 1, 1, 0]);
      assert.equal(store.stats().storage.state, "closed");
    }
  });

  test("what was due in this very job is given up by a discard", async () => {
    const { backend, writer, write } = setUp();
    write("a", "1");
    await Promise.all([writer.close({ discard: true }), settled()]);
    assert.deepEqual([backend.commits, backend.closed], [0, 1]);
  });

  test("what is written while it closes leaves no timer either", async () => {
    const { backend, clock, write, store } = paced(() => 500);
    backend.held = true;
    write("a", "1");
    const closed = store.close();
    await settled();
    backend.committed = () => queueMicrotask(() => write("b", "1"));
    backend.releases.shift()?.();
    await closed;
    assert.deepEqual([backend.commits, backend.closed, clock.timers.length], [1, 1, 0]);
  });

  test("a commit that fails is tried again after the pauses of failures; a flush meanwhile at once", async () => {
    const { backend, clock, write, store } = paced(() => 5000);
    backend.fails = (commit) => commit <= 3;
    write("a", "1");
    clock.fire();
    await settled();
    assert.deepEqual([store.stats().storage.state, clock.timers.map(({ ms }) => ms)], ["failed", [100]]);
    write("b", "1");
    assert.deepEqual(
      clock.timers.map(({ ms }) => ms),
      [100],
      "one timer",
    );
    clock.fire();
    await settled();
    await assert.rejects(store.flush(), /commit 3 fails/);
    assert.deepEqual(
      clock.timers.map(({ ms }) => ms),
      [400],
    );
    await store.flush();
    assert.deepEqual([store.stats().storage.state, clock.timers.length], ["idle", 0]);
    assert.equal(await backend.image(), '[["t",[["a","1"],["b","1"]]]]');
    write("c", "1");
    assert.deepEqual(
      clock.timers.map(({ ms }) => ms),
      [5000],
    );
    await store.close();
  });

  test("a commit that cannot be taken is a failure like any other", async () => {
    const { backend, clock, write, store, events } = paced(() => 500);
    const { takeCommit } = store;
    store.takeCommit = () => {
      throw new Error("cannot be taken");
    };
    write("a", "1");
    clock.fire();
    await settled();
    assert.deepEqual([store.stats().storage.state, clock.timers.map(({ ms }) => ms)], ["failed", [100]]);
    await assert.rejects(store.flush(), /cannot be taken/);
    assert.deepEqual([clock.timers.map(({ ms }) => ms), backend.commits], [[200], 0]);
    store.takeCommit = takeCommit;
    clock.fire();
    await settled();
    assert.equal(await backend.image(), '[["t",[["a","1"]]]]');
    await settled();
    assert.deepEqual(
      events.map((event) => (event instanceof Error ? event.message : "commit")),
      ["cannot be taken", "cannot be taken", "commit"],
    );
  });

  test("a pace that ends lets the commit that waits come when it was to come, and the next one soon", async () => {
    const { backend, clock, store, write } = paced(() => 500);
    write("a", "1");
    setPause(store, () => null);
    await settled();
    assert.deepEqual([backend.commits, clock.timers.length], [0, 1]);
    clock.fire();
    await settled();
    write("b", "1");
    await settled();
    assert.deepEqual([backend.commits, clock.timers.length], [2, 0]);
  });

  test("a pace that begins does not touch the commit that is due", async () => {
    const { backend, clock, write, store } = setUp();
    write("a", "1");
    setPause(store, () => 500);
    await settled();
    assert.deepEqual([backend.commits, clock.timers.length], [1, 0]);
    write("b", "1");
    await store.flush();
    write("c", "1");
    await settled();
    assert.deepEqual([backend.commits, clock.timers.length], [2, 1]);
    await store.close();
  });

  test("the participants of a store say how long: the longest counts", async () => {
    const { backend, clock, store, write } = setUp();
    let pause = 700;
    const idle = { takeChanges: () => [], succeeded() {}, failed() {}, markAllDirty() {} };
    const slow = { ...idle, name: "slow", pauseMs: () => pause };
    const quick = { ...idle, name: "quick", pauseMs: () => 5 };
    store.attach(quick);
    store.attach(slow);
    store.requestCommit();
    assert.deepEqual([store.stats().storage.state, clock.timers.map(({ ms }) => ms)], ["scheduled", [700]]);
    clock.fire();
    // There was nothing to commit.
    assert.deepEqual([store.stats().storage.state, backend.commits], ["idle", 0]);
    pause = 900;
    write("a", "1");
    assert.deepEqual(
      clock.timers.map(({ ms }) => ms),
      [900],
    );
    clock.fire();
    await settled();
    store.detach(slow);
    write("b", "1");
    assert.deepEqual(
      clock.timers.map(({ ms }) => ms),
      [5],
    );
    clock.fire();
    await settled();
    store.detach(quick);
    store.requestCommit();
    assert.equal(store.stats().storage.state, "idle");
    write("c", "1");
    await settled();
    assert.deepEqual([backend.commits, clock.timers.length], [3, 0]);
  });
});
