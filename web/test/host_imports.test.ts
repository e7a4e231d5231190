/** Host imports, called as the module calls them: with addresses. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import * as hostImports from "#js/imports.js";
import { TableStore } from "#js/storage/table_store.js";
import { binaryOf, bytesOf, decode, hexOf, Random } from "./helpers.ts";

function setUp() {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 100 });
  const output: [number, string][] = [];
  const panics: string[] = [];
  const made = hostImports.createHostImports({
    memory: () => memory,
    output: (stream, bytes) => output.push([stream, new TextDecoder().decode(bytes)]),
    panic: (text) => panics.push(text),
    host: hostImports.noHost(() => memory),
  });
  const store = new TableStore();
  made.attach(store);
  const bytes = () => new Uint8Array(memory.buffer);
  /** Writes bytes at `at`; returns [address, length] as the imports take them. */
  const put = (at: number, data: Uint8Array | string): [number, number] => {
    const raw = typeof data === "string" ? Uint8Array.from(data, (c) => c.charCodeAt(0)) : data;
    bytes().set(raw, at);
    return [at, raw.length];
  };
  const out = (length: number, at = 40_000) => bytes().slice(at, at + length);
  return { memory, store, output, panics, made, i: made.imports, bytes, put, out };
}

const OUT: [number, number] = [40_000, 20_000];

suite("tables", () => {
  test("set, get, remove, count, clear", () => {
    const { i, put, out } = setUp();
    const t = i.table_open(0, ...put(0, "notes"));
    assert.equal(i.table_open(0, ...put(0, "notes")), t);
    const key = put(100, binaryOf("04 01000000 61"));
    assert.equal(i.table_get(t, ...key, ...OUT), -1);
    assert.equal(i.table_set(t, ...key, ...put(200, binaryOf("02 2a00000000000000"))), 0);
    assert.equal(i.table_get(t, ...key, ...OUT), 9);
    assert.equal(decode(out(9)), 42);
    assert.equal(i.table_count(t), 1);
    assert.equal(i.table_remove(t, ...key), 1);
    assert.equal(i.table_remove(t, ...key), 0);
    i.table_set(t, ...key, ...key);
    assert.equal(i.table_clear(t), 0);
    assert.equal(i.table_count(t), 0);
  });

  test("a value that does not fit is not written; its length is told", () => {
    const { i, put, out } = setUp();
    const t = i.table_open(0, ...put(0, "t"));
    const key = put(100, "k");
    i.table_set(t, ...key, ...put(200, "x".repeat(100)));
    assert.equal(i.table_get(t, ...key, 40_000, 99), 100);
    assert.equal(hexOf(out(4)), "00000000");
    assert.equal(i.table_get(t, ...key, 40_000, 100), 100);
    assert.equal(out(101)[99], 120);
    assert.equal(out(101)[100], 0);
  });

  test("keys and values of every length and byte arrive as they are", () => {
    const { i, put, out } = setUp();
    const random = new Random(5);
    const t = i.table_open(0, ...put(0, "t"));
    for (const length of [...Array.from({ length: 130 }, (_, n) => n), 1000, 8191, 8192, 8193, 16_385]) {
      for (const data of [random.bytes(length), new Uint8Array(length).fill(0x61), new Uint8Array(length)]) {
        const key = put(100, data.subarray(0, 300));
        assert.equal(i.table_set(t, ...key, ...put(1000, data)), 0);
        assert.equal(i.table_get(t, ...key, ...OUT), length);
        assert.equal(hexOf(out(length)), hexOf(data));
      }
    }
  });

  test("an address beyond 2 GiB comes as a negative number", () => {
    // There is no such memory here. That the sign is no trouble is enough.
    const { i } = setUp();
    assert.equal(i.table_open(0, -4, 0), -6);
  });

  test("next gives as many entries as fit, in order", () => {
    const { i, put, memory } = setUp();
    const t = i.table_open(0, ...put(0, "t"));
    for (let n = 0; n < 100; n++) i.table_set(t, ...put(100, `k${n}`), ...put(200, `v${n}`));
    const seen: string[] = [];
    let cursor = 0;
    for (;;) {
      const length = i.table_next(t, cursor, 40_000, 64);
      if (length === 0) break;
      assert.ok(length <= 64);
      const view = new DataView(memory.buffer, 40_000, length);
      for (let at = 0; at < length;) {
        cursor = view.getFloat64(at, true);
        const n = seen.length;
        const [key, value] = [`k${n}`, `v${n}`];
        const text = new TextDecoder().decode(
          new Uint8Array(memory.buffer, 40_000 + at + 8, key.length + value.length),
        );
        assert.equal(text, key + value);
        seen.push(key);
        at += 8 + key.length + value.length;
      }
    }
    assert.equal(seen.length, 100);
    assert.equal(i.table_next(t, 0, 40_000, 5), 12);
    assert.equal(i.table_next(t, 1e9, 40_000, 64), 0);
  });

  test("names come as a list", () => {
    const { i, put, out } = setUp();
    assert.equal(i.table_names(0, ...OUT), 4);
    i.table_open(0, ...put(0, "one"));
    i.table_open(0, ...put(0, "zw\xc3\xb6lf"));
    const length = i.table_names(0, ...OUT);
    assert.equal(length, 4 + 5 + 3 + 5 + 6);
    assert.equal(hexOf(out(length)), "02000000" + "0403000000" + "6f6e65" + "0406000000" + "7a77c3b66c66");
    assert.equal(i.table_names(0, 40_000, 3), length);
  });

  test("memory that has grown is found again", () => {
    const { i, put, memory, out } = setUp();
    const t = i.table_open(0, ...put(0, "t"));
    memory.grow(10);
    i.table_set(t, ...put(600_000, "key"), ...put(600_100, "value"));
    memory.grow(1);
    assert.equal(i.table_get(t, ...put(600_000, "key"), ...OUT), 5);
    assert.equal(new TextDecoder().decode(out(5)), "value");
  });
});

suite("transactions", () => {
  test("begin, commit, roll back", () => {
    const { i, put } = setUp();
    const t = i.table_open(0, ...put(0, "t"));
    assert.equal(i.transaction(0, 0), 0);
    i.table_set(t, ...put(100, "a"), ...put(200, "1"));
    assert.equal(i.transaction(0, 2), 0);
    assert.equal(i.table_count(t), 0);
    i.transaction(0, 0);
    i.table_set(t, ...put(100, "a"), ...put(200, "1"));
    assert.equal(i.transaction(0, 1), 0);
    assert.equal(i.table_count(t), 1);
    assert.equal(i.transaction(0, 1), -5);
    assert.equal(i.end_batch(0), 0);
  });

  test("a table that was dropped and rolled back keeps its id; one that stays dropped is refused for good", () => {
    const { i, put } = setUp();
    const name = put(0, "t");
    const t = i.table_open(0, ...name);
    i.table_set(t, ...put(100, "a"), ...put(200, "1"));
    i.transaction(0, 0);
    assert.equal(i.table_drop(0, ...name), 1);
    assert.equal(i.table_count(t), -2);
    i.transaction(0, 2);
    assert.equal(i.table_count(t), 1);
    assert.equal(i.table_open(0, ...name), t);
    i.table_drop(0, ...name);
    i.end_batch(0);
    assert.equal(i.table_count(t), -2);
    assert.equal(i.table_drop(0, ...name), 0);
    const again = i.table_open(0, ...name);
    assert.notEqual(again, t);
    assert.equal(i.table_count(again), 0);
    assert.equal(i.table_count(t), -2);
  });
});

suite("failures", () => {
  test("become codes, with the message for the module and the cause for JavaScript", () => {
    const { i, put, made, store, out } = setUp();
    assert.equal(i.table_open(0, ...put(0, "")), -6);
    const failure = made.takeFailure();
    assert.equal(failure?.code, "name");
    assert.ok(failure?.cause instanceof Error);
    assert.equal(made.takeFailure(), null);

    for (const use of [
      () => i.table_get(7, 0, 1, ...OUT),
      () => i.table_set(7, 0, 1, 0, 1),
      () => i.table_remove(7, 0, 1),
      () => i.table_next(7, 0, ...OUT),
      () => i.table_count(7),
      () => i.table_clear(7),
      () => i.table_open(3, ...put(0, "t")),
      () => i.table_drop(3, 0, 1),
      () => i.table_names(3, ...OUT),
      () => i.transaction(3, 0),
      () => i.end_batch(3),
    ]) {
      assert.equal(use(), -2);
    }

    const t = i.table_open(0, ...put(0, "t"));
    i.end_batch(0);
    store.abandon();
    assert.equal(i.table_set(t, ...put(100, "a"), ...put(200, "1")), -3);
    assert.equal(i.table_clear(t), -3);
    assert.equal(i.table_remove(t, ...put(100, "a")), -3);
    const length = i.store_error(40_000, 0);
    assert.equal(i.store_error(40_000, length), length);
    assert.equal(new TextDecoder().decode(out(length)), "the store is read-only");
  });

  test("whatever a host throws is caught", () => {
    const { i, put, made, store } = setUp();
    const t = i.table_open(0, ...put(0, "t"));
    const thrown: [unknown, number, string][] = [
      [new Error("disk on fire"), -5, "disk on fire"],
      [new RangeError("Map maximum size exceeded"), -4, "Map maximum size exceeded"],
      [Object.assign(new Error("odd"), { code: "ENOENT" }), -5, "odd"],
      ["a string", -5, "a string"],
      [null, -5, "null"],
      [undefined, -5, "undefined"],
    ];
    for (const [error, code, message] of thrown) {
      store.open("t").get = () => {
        throw error;
      };
      assert.equal(i.table_get(t, ...put(100, "a"), ...OUT), code);
      const failure = made.takeFailure();
      assert.equal(failure?.message, message);
      assert.equal(failure?.cause, error);
    }
  });

  test("of a call that is not over can be put back", () => {
    const { i, put, made } = setUp();
    i.table_open(0, ...put(0, ""));
    const outer = made.takeFailure();
    assert.ok(outer);
    i.table_get(7, 0, 1, ...OUT);
    assert.equal(made.takeFailure()?.code, "closed");
    made.putFailure(outer);
    assert.equal(made.takeFailure(), outer);
  });

  test("a store that was taken away is closed", () => {
    const { i, made, put } = setUp();
    made.detach(0);
    assert.equal(i.table_open(0, ...put(0, "t")), -2);
  });
});

suite("host functions", () => {
  test("without a host they fail, and say so", () => {
    const { i, out } = setUp();
    const answer = i.host_call(16, 0, 0, 1, ...OUT);
    assert.equal(answer & 3, 1);
    const message = out(answer >> 2);
    assert.equal(decode(message.subarray(4)), "there are no host functions here");
    assert.equal(i.host_call(16, 0, 0, 1, 40_000, 10), answer);
    assert.equal(i.host_take(50_000, answer >> 2), answer >> 2);
    assert.deepEqual(out(answer >> 2, 50_000), message);
    i.host_release(16, 1);
  });

  test("the host gets numbers that are never negative", () => {
    const calls: number[][] = [];
    const { imports } = hostImports.createHostImports({
      memory: () => new WebAssembly.Memory({ initial: 1 }),
      host: {
        call: (...args) => calls.push(args),
        take: (...args) => calls.push(args),
        release: (...args) => void calls.push(args),
      },
    });
    imports.host_call(-1, -2, 3, 1, -4, 5);
    imports.host_take(-6, 7);
    imports.host_release(-8, 9);
    const u32 = (n: number) => 2 ** 32 + n;
    assert.deepEqual(calls, [
      [u32(-1), u32(-2), 3, 1, u32(-4), 5],
      [u32(-6), 7],
      [u32(-8), 9],
    ]);
  });
});

suite("the rest", () => {
  test("output is copied out", () => {
    const { i, put, output, bytes } = setUp();
    i.output(1, ...put(0, "hello"));
    bytes().fill(0, 0, 5);
    assert.deepEqual(output, [[1, "hello"]]);
  });

  test("output and panics that throw do not reach the module", (t) => {
    const spoken = t.mock.method(console, "error", () => {});
    const fails = () => {
      throw new Error("no");
    };
    const { imports } = hostImports.createHostImports({
      memory: fails,
      output: fails,
      panic: fails,
      host: hostImports.noHost(fails),
    });
    imports.output(1, 0, 1);
    imports.report_panic(0, 1);
    assert.equal(imports.store_error(0, 10), 0);
    assert.equal(spoken.mock.callCount(), 1);
  });

  test("panics are passed on", () => {
    const { i, put, panics } = setUp();
    i.report_panic(...put(0, "at src/lib.rs:1"));
    assert.deepEqual(panics, ["at src/lib.rs:1"]);
  });

  test("clocks, time zone, randomness", (t) => {
    const { i } = setUp();
    const now = 1_700_000_000_123;
    t.mock.method(Date, "now", () => now);
    assert.equal(i.clock_ms(), now);
    assert.ok(i.monotonic_ms() <= i.monotonic_ms());
    assert.equal(i.time_zone_minutes(now), 0 - new Date(now).getTimezoneOffset());
    assert.equal(i.time_zone_minutes(NaN), 0);
    const drawn = new Set(Array.from({ length: 10 }, () => i.random_u32()));
    assert.ok(drawn.size > 1);
    for (const number of drawn) assert.ok(Number.isInteger(number) && number >= 0 && number < 2 ** 32);
  });
});

test("the default imports are the same, for one instance", (t) => {
  assert.equal(hostImports.table_open(0, 0, 1), -2);
  const memory = new WebAssembly.Memory({ initial: 1 });
  const store = new TableStore();
  const id = hostImports.attach_store(store);
  assert.equal(hostImports.table_open(id, 0, 1), -5);
  hostImports.set_memory(memory);
  new Uint8Array(memory.buffer).set(bytesOf("74 6b 76"));
  const table = hostImports.table_open(id, 0, 1);
  assert.equal(hostImports.table_set(table, 1, 1, 2, 1), 0);
  assert.equal(hostImports.table_get(table, 1, 1, 100, 10), 1);
  assert.equal(hostImports.table_next(table, 0, 100, 100), 10);
  assert.equal(hostImports.table_count(table), 1);
  assert.equal(hostImports.table_remove(table, 1, 1), 1);
  assert.equal(hostImports.table_clear(table), 0);
  assert.equal(hostImports.transaction(id, 0), 0);
  assert.equal(hostImports.transaction(id, 2), 0);
  assert.equal(hostImports.table_names(id, 100, 100), 10);
  assert.equal(hostImports.table_drop(id, 0, 1), 1);
  assert.equal(hostImports.end_batch(id), 0);
  assert.ok(hostImports.clock_ms() > 0 && hostImports.monotonic_ms() > 0 && hostImports.random_u32() >= 0);
  assert.equal(hostImports.time_zone_minutes(NaN), 0);
  const log = t.mock.method(console, "log", () => {});
  const error = t.mock.method(console, "error", () => {});
  hostImports.output(1, 1, 1);
  hostImports.output(2, 2, 1);
  hostImports.report_panic(0, 1);
  assert.deepEqual(log.mock.calls[0]?.arguments, ["k"]);
  assert.deepEqual(error.mock.calls[0]?.arguments, ["v"]);
  const received: number[] = [];
  hostImports.set_output((stream) => received.push(stream));
  hostImports.output(2, 0, 1);
  assert.deepEqual(received, [2]);
  assert.equal(hostImports.host_call(16, 0, 0, 0, 100, 0) & 3, 1);
  const released: number[] = [];
  hostImports.set_host({ call: () => 8, take: () => 9, release: (id) => void released.push(id) });
  assert.equal(hostImports.host_call(16, 0, 0, 0, 100, 0), 8);
  assert.equal(hostImports.host_take(100, 0), 9);
  hostImports.host_release(17, 1);
  assert.deepEqual(released, [17]);
  hostImports.take_failure();
  hostImports.detach_store(id);
  assert.equal(hostImports.table_open(id, 0, 1), -2);
  assert.equal(hostImports.take_failure()?.code, "closed");
  assert.equal(hostImports.take_failure(), undefined);
  assert.ok(hostImports.store_error(100, 0) === 0);
});
