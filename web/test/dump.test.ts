/**
 * `lua.dump()` and `lua.load()`. "The same" means the same bytes: what is compared is what the tables hold,
 * not what it becomes in JavaScript, where 1.0 is 1 and each NaN like any other.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { suite, test } from "node:test";
import { crc32 } from "#js/storage/crc32.js";
import { openStore } from "#js/storage/open_store.js";
import { encodePage, encodeTable, isOverflow, pageKey, tableKey } from "#js/storage/records.js";
import { TableStore } from "#js/storage/table_store.js";
import { dumpTables, loadTables } from "../src/storage/dump.ts";
import { Lua, LuaStorageError, type LuaTable, type LuaValue } from "../src/index.ts";
import { dumpJson } from "../src/storage/json_dump.ts";
import { encodeKey } from "../src/codec/keys.ts";
import { isStoredKey, isStoredValue } from "../src/storage/stored.ts";
import { toStored } from "../src/codec/encoder.ts";
import { Random, binaryOf, decode, randomValue, settled, vectors } from "./helpers.ts";
import { RecordBackend, contents, image } from "./record_backend.ts";

const FORMATS = { binary: dumpTables, json: dumpJson };

/** A store with these tables. */
function storeOf(tables: Record<string, readonly (readonly [string, string])[]>): TableStore {
  const store = new TableStore();
  for (const [name, entries] of Object.entries(tables)) {
    const table = store.open(name);
    for (const [key, value] of entries) table.set(key, value);
  }
  store.endBatch();
  return store;
}

/** Asserts that both dumps of a store are the store, and are themselves when they are dumped again. */
function assertRoundTrip(store: TableStore, message?: string): void {
  const before = contents(store);
  for (const [format, dump] of Object.entries(FORMATS)) {
    const given = dump(store);
    const loaded = new TableStore();
    loadTables(loaded, given, false);
    assert.deepEqual(contents(loaded), before, `${message}: ${format}`);
    assert.deepEqual(dumpJson(loaded), dumpJson(store), `${message}: ${format}`);
  }
  assert.deepEqual(contents(store), before);
}

/** Asserts that a dump that cannot be read is refused with its code, and that nothing was changed. */
function assertRefused(dump: Uint8Array | string, codes: RegExp = /^corrupt$/, message?: string): void {
  const store = storeOf({ kept: [[encodeKey("k"), toStored(1)]], "\xc3\xa9": [] });
  const before = image(store);
  assert.throws(
    () => loadTables(store, dump, false),
    (error) => {
      assert.ok(error instanceof LuaStorageError, `${message}: ${String((error as Error)?.stack ?? error)}`);
      assert.match(error.code, codes, `${message}: ${error.message}`);
      return true;
    },
    message,
  );
  assert.equal(image(store), before, message);
  assert.equal(store.inBatch, false);
  assert.equal(store.journal.depth, 0);
}

const jsonDump = (...entries: unknown[]) => JSON.stringify({ perilune: 1, tables: [{ name: "t", entries }] });

/** A dump of these records, whose checksums are right whatever they say. */
function forged(records: Iterable<readonly [key: string, bytes: Uint8Array]>, format = 1): Uint8Array {
  const all = [...records];
  const dump = new Uint8Array(20 + all.reduce((sum, [key, bytes]) => sum + 5 + key.length + bytes.length, 0));
  const view = new DataView(dump.buffer);
  dump.set(Buffer.from("PERILUNE"));
  view.setUint32(8, format, true);
  view.setUint32(12, all.length, true);
  let at = 16;
  for (const [key, bytes] of all) {
    view.setUint8(at, key.length);
    view.setUint32(at + 1, bytes.length, true);
    dump.set(Buffer.from(key, "latin1"), at + 5);
    dump.set(bytes, at + 5 + key.length);
    at += 5 + key.length + bytes.length;
  }
  view.setUint32(at, crc32(dump.subarray(0, at)), true);
  return dump;
}

/** The record with a checksum that is right. */
function resealed(key: string, record: Uint8Array): Uint8Array {
  const sealed = record.slice();
  if (sealed.length < 4) return sealed;
  const end = sealed.length - 4;
  const crc = crc32(sealed.subarray(0, end), crc32(Buffer.from(key, "latin1")));
  new DataView(sealed.buffer).setUint32(end, crc, true);
  return sealed;
}

/** A dump of one table with one entry, whatever its bytes are. */
function forgedEntry(key: string, value: string, name = "t"): Uint8Array {
  const head = { seq: 1, count: 1, bytes: key.length + value.length, name };
  return forged([
    [tableKey(1), encodeTable(tableKey(1), head)],
    [pageKey(1, 0), encodePage(pageKey(1, 0), [{ key, value }])],
  ]);
}

const u32 = (n: number) => String.fromCharCode(n & 255, (n >>> 8) & 255, (n >>> 16) & 255, (n >>> 24) & 255);
const stringOf = (binary: string) => `\x04${u32(binary.length)}${binary}`;

/**
 * Bytes of a value, as wild as they may be: NaN payloads, floats that are integers, tables in themselves and
 * as keys.
 */
function randomStored(random: Random, depth: number): string {
  let tables = 0;
  const scalar = (isKey: boolean): string => {
    switch (random.below(isKey ? 4 : 6)) {
      case 0:
        return `\x01${String.fromCharCode(random.below(2))}`;
      case 1:
        return encodeKey(random.pick([0n, 7n, -1n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n)]));
      case 2:
        return stringOf(
          random.pick([
            "",
            "a",
            "1",
            "10",
            "007",
            "-1",
            "4294967295",
            "1e3",
            "$id",
            "$table",
            "__proto__",
            "toString",
          ]) +
            random.pick([
              "",
              "",
              "1",
              "\xff",
              "\xc3\xa9",
              "\xed\xa0\x80",
              "\xef\xbb\xbf",
              "\0",
              '"\\\n',
              "\u007f\xc2\x80",
            ]),
        );
      case 3:
        return `\x03${binaryOf(random.pick(["000000000000f03f", "000000000000e0bf", "9c7500883ce4377e", "000000000000f07f", "0000000000000080", "0100000000000000"]))}`;
      case 4:
        return `\x03${binaryOf(random.pick(["000000000000f87f", "010000000000f07f", "efbeadde0000f8ff", "ffffffffffffffff"]))}`;
      default:
        return `\x07${u32(5)}na${random.pick(["mes", "\xc3\xa9x", '"\\"'])}`;
    }
  };
  const value = (left: number, isKey = false): string => {
    if (tables > 0 && random.below(8) === 0) return `\x06${u32(random.below(tables))}`;
    if (left === 0 || random.below(3) === 0) return scalar(isKey);
    tables += 1;
    if (random.below(6) === 0) return "\x0d";
    const [listed, paired] = [random.below(2) * random.below(5), random.below(2) * random.below(5)];
    // In the order of the bytes: tables are numbered by it.
    let contents = "";
    for (let i = 0; i < listed; i++) contents += value(left - 1);
    for (let i = 0; i < paired; i++) {
      contents += random.below(4) > 0 ? stringOf(`k${random.below(99)}`) : value(left - 1, true);
      contents += value(left - 1);
    }
    return `\x05${u32(listed)}${u32(paired)}${contents}`;
  };
  return value(depth);
}

suite("round trip", () => {
  test("every vector, as a value", () => {
    // 0x00, 0x08 and 0x09 have no place in a table.
    const entries = vectors.values
      .map(({ name, hex }) => [encodeKey(name), binaryOf(hex)] as const)
      .filter(([, value]) => !/^[\0\x08\x09]/.test(value));
    assert.ok(entries.length > 60);
    for (const entry of entries)
      assertRoundTrip(storeOf({ t: [entry] }), decode(Buffer.from(entry[0], "latin1")) as string);
    assertRoundTrip(storeOf({ t: entries }));
  });

  test("every vector, as a key", () => {
    assertRoundTrip(storeOf({ t: vectors.keys.map(({ hex }) => [binaryOf(hex), toStored(hex)] as const) }));
    const kinds = [
      true,
      false,
      0,
      1,
      -1,
      0.5,
      2 ** 53,
      -(2 ** 63),
      2 ** 63,
      Infinity,
      -Infinity,
      5e-324,
      2n ** 63n - 1n,
    ];
    const texts = [
      "",
      "1",
      "$float",
      "__proto__",
      "\ufeff",
      "\0",
      "😀",
      Uint8Array.of(255),
      Uint8Array.of(0xed, 0xa0, 0x80),
    ];
    assertRoundTrip(storeOf({ t: [...kinds, ...texts].map((key) => [encodeKey(key), toStored(1)] as const) }));
  });

  test("random values of JavaScript", () => {
    for (let seed = 1; seed <= 2000; seed++) {
      const random = new Random(seed);
      const value = randomValue(random, 4);
      const shared = [
        value,
        { again: value },
        new Map<unknown, unknown>([
          [Number.isNaN(value) ? 0 : value, 1],
          [true, value],
        ]),
      ];
      const cyclic: unknown[] = [shared, value];
      cyclic.push({ cyclic, shared });
      const stored = (key: unknown, of: unknown) => [encodeKey(key), toStored(of)] as const;
      assertRoundTrip(
        storeOf({ t: [stored("value", value), stored(seed, shared), stored(true, cyclic)] }),
        `seed ${seed}`,
      );
    }
  });

  test("random bytes that a table may hold", () => {
    for (let seed = 1; seed <= 3000; seed++) {
      const random = new Random(seed);
      const value = randomStored(random, 5);
      assert.ok(isStoredValue(value), `seed ${seed}`);
      decode(Buffer.from(value, "latin1"));
      assertRoundTrip(storeOf({ t: [[encodeKey(seed), value]] }), `seed ${seed}`);
    }
  });

  test("keys that objects of JavaScript put in another order, or know as something else", () => {
    for (const json of [
      [
        ["b", 1],
        ["1", 2],
        ["a", 3],
        ["0", 4],
      ],
      [
        ["4294967294", 1],
        ["4294967295", 2],
        ["9007199254740993", 3],
        ["01", 4],
        ["-1", 5],
        ["1.5", 6],
      ],
      [
        ["__proto__", 1],
        ["constructor", 2],
        ["hasOwnProperty", 3],
        ["toString", 4],
      ],
      [
        ["$table", 1],
        ["$pairs", 2],
      ],
      [
        ["x", 1],
        ["$ref", 0],
      ],
      [["$", 1]],
      [["", 1]],
      [["$integer", "1"]],
    ] as const) {
      assertRoundTrip(storeOf({ t: [[encodeKey("k"), toStored(new Map<unknown, unknown>(json))]] }), String(json));
    }
    // The same key in two ways: what is stored has both.
    const twice = new Map<unknown, unknown>([
      ["a", 1],
      [Uint8Array.of(97), 2],
    ]);
    assertRoundTrip(storeOf({ t: [[encodeKey("k"), toStored(twice)]] }));
  });

  test("two hundred tables in one another, and not one more", () => {
    const nested = (depth: number) => `\x05${u32(1)}${u32(0)}`.repeat(depth - 1) + `\x05${u32(0)}${u32(0)}`;
    assertRoundTrip(storeOf({ t: [[encodeKey("k"), nested(200)]] }));
    assertRefused(forgedEntry(encodeKey("k"), nested(201)));
    const [list, object] = [200, 200].map((depth) => "[".repeat(depth) + "]".repeat(depth)) as [string, string];
    const store = new TableStore();
    loadTables(store, `{"perilune": 1, "tables": [{"name": "t", "entries": [["k", ${list}]]}]}`, false);
    decode(Buffer.from(store.open("t").get(encodeKey("k")) as string, "latin1"));
    assertRefused(`{"perilune": 1, "tables": [{"name": "t", "entries": [["k", [${object}]]]}]}`);
  });

  test("tables of any name, empty ones, and the order of everything", () => {
    const names = ["t", "__proto__", "constructor", "\xc3\xa9", "\0", " ", '"\\\n', "$table", "1", "x".repeat(1024)];
    const store = storeOf(Object.fromEntries(names.map((name) => [name, []])));
    names.forEach((name, at) => {
      if (at % 3 === 0) return;
      for (let i = 200; i > 0; i--) store.open(name).set(encodeKey(i * at), toStored(`${name.length}`));
      for (let i = 150; i > 10; i--) store.open(name).remove(encodeKey(i * at));
    });
    assertRoundTrip(store);
    assertRoundTrip(new TableStore());
  });

  test("overflow entries, up to several MiB", () => {
    const random = new Random(1);
    const noise = String.fromCharCode(...random.bytes(2 ** 15)).repeat(100);
    const lengths = [900, 985, 986, 987, 2000, 2 ** 20 - 20, 2 ** 20 - 19, 2 ** 20 - 18, 2 ** 21, 3_000_000];
    const entries = lengths.map((length) => [encodeKey(length), stringOf(noise.slice(0, length))] as const);
    const long = [encodeKey("x".repeat(2_500_000)), toStored("é".repeat(600_000))] as const;
    assert.ok(
      entries.some(([key, value]) => isOverflow({ key, value })) &&
        entries.some(([key, value]) => !isOverflow({ key, value })),
    );
    assertRoundTrip(storeOf({ t: [...entries, long], u: entries.slice(3) }));
  });

  test("what nobody has looked into since it was read is dumped as what was looked into", async () => {
    const backend = new RecordBackend();
    const first = await openStore(backend);
    const random = new Random(5);
    for (const name of ["a", "b", "c"]) {
      for (let i = 0; i < 300; i++) first.open(name).set(encodeKey(i), randomStored(random, 3));
      first.open(name).set(encodeKey("large"), stringOf("x".repeat(1_500_000)));
      for (let i = 0; i < 200; i++) first.open(name).remove(encodeKey(random.below(300)));
    }
    first.open("empty");
    await first.flush();
    const raw = await openStore(backend.survivor());
    const dump = dumpTables(raw);
    assert.ok(raw.stats().tables.every(({ loaded }) => !loaded));
    const before = contents(first);
    assert.deepEqual(contents(raw), before);
    assert.deepEqual(dumpTables(raw), dump);
    assert.deepEqual(dumpTables(first), dump);
    for (const given of [dump, dumpJson(first)]) {
      const loaded = new TableStore();
      loadTables(loaded, given, false);
      assert.deepEqual(contents(loaded), before);
    }
  });
});

suite("damage", () => {
  const store = storeOf({
    t: [
      [encodeKey("name"), toStored({ a: [1, 2.5, "x"] })],
      [encodeKey(5), toStored(true)],
    ],
    empty: [],
    large: [[encodeKey("k"), stringOf("x".repeat(1200))]],
  });
  const dump = dumpTables(store);

  test("every flipped bit", () => {
    for (let at = 0; at < dump.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const damaged = dump.slice();
        (damaged[at] as number) ^= 1 << bit;
        assertRefused(
          damaged,
          at < 8 ? /^foreign$/ : at < 12 ? /^(newer|corrupt)$/ : /^corrupt$/,
          `byte ${at}, bit ${bit}`,
        );
      }
    }
  });

  test("every truncation, and what is too long", () => {
    for (let length = 0; length < dump.length; length++) {
      assertRefused(dump.subarray(0, length), length < 20 ? /^foreign$/ : /^corrupt$/, `${length} bytes`);
    }
    assertRefused(Buffer.concat([dump, Buffer.of(0)]));
    assertRefused(Buffer.concat([dump, dump]));
  });

  test("every truncation of JSON", () => {
    const json = dumpJson(store).trimEnd();
    for (let length = 0; length < json.length; length++) assertRefused(json.slice(0, length), /^corrupt$/, `${length}`);
  });

  test("a dump in the middle of a larger buffer is read where it is", () => {
    const around = Buffer.concat([Buffer.alloc(3, 1), dump, Buffer.alloc(5, 2)]);
    const loaded = new TableStore();
    loadTables(loaded, around.subarray(3, 3 + dump.length), false);
    assert.deepEqual(contents(loaded), contents(store));
  });

  test("a later version", () => {
    assertRefused(forged(store.records(), 2), /^newer$/);
    assertRefused(forged(store.records(), 0xffffffff), /^newer$/);
    assertRefused('{"perilune": 2, "tables": "in another way"}', /^newer$/);
  });

  test("something else", () => {
    for (const bytes of ["", "PERILUNE", "SQLite format 3\0".padEnd(100, "\0"), "\x1f\x8b".padEnd(50, "x")]) {
      assertRefused(Buffer.from(bytes, "latin1"), /^foreign$/);
    }
    for (const json of ["null", "1", "[]", "{}", '"perilune"', '{"perilune": "1"}', '{"version": 1, "tables": []}']) {
      assertRefused(json, /^foreign$/, json);
    }
    for (const wrong of [null, undefined, 5, {}, [1], new DataView(new ArrayBuffer(3)), new Uint16Array(3)]) {
      assert.throws(() => loadTables(new TableStore(), wrong as never, false), TypeError);
    }
  });
});

suite("untrusted bytes", () => {
  test("random ones", () => {
    for (let seed = 1; seed <= 3000; seed++) {
      const random = new Random(seed);
      const bytes = random.bytes(random.below(300));
      if (seed % 2 === 0) bytes.set(Buffer.from("PERILUNE\x01\0\0\0").subarray(0, bytes.length));
      assertRefused(bytes, /^(foreign|newer|corrupt)$/, `seed ${seed}`);
      assertRefused(forged([["t1", bytes]]), /^corrupt$/, `seed ${seed}`);
      assertRefused(forged([["t1", resealed("t1", bytes)]].slice(0, 1) as never), /^corrupt$/, `seed ${seed}`);
    }
  });

  test("records that were changed by somebody who knows checksums give something whole, or nothing", () => {
    const random = new Random(7);
    const source = storeOf({
      t: Array.from({ length: 70 }, (_, i) => [encodeKey(i), randomStored(random, 3)] as const),
      u: [
        [encodeKey("k"), stringOf("y".repeat(1100))],
        [encodeKey("l"), toStored([1, { a: 2 }])],
      ],
      v: [],
    });
    const records = [...source.records()];
    let loaded = 0;
    for (let seed = 1; seed <= 3000; seed++) {
      const random = new Random(seed);
      const mine = records.map(([key, bytes]) => [key, bytes.slice()] as [string, Uint8Array]);
      for (let changes = 1 + random.below(2); changes > 0; changes--) {
        const at = random.below(mine.length);
        const [key, bytes] = mine[at] as [string, Uint8Array];
        const byte = random.below(3) === 0 ? random.below(Math.min(bytes.length, 30)) : random.below(bytes.length);
        switch (random.below(7)) {
          case 0:
            mine.splice(at, 1);
            break;
          case 1:
            mine[at] = [key, bytes.slice(0, byte)];
            break;
          case 2:
            (mine[at] as [string, Uint8Array])[0] = random.pick([
              "t1",
              "t4",
              "p1:0",
              "p1:1",
              "p9:0",
              "v2:1:0",
              "v2:1:1",
              "v2:1:99999999999",
              "p1:9007199254740991",
              "v2:9007199254740991:0",
              "t",
              "p1",
              "x1",
              "v2:1:0:0",
            ]);
            break;
          default:
            bytes[byte] = random.pick([0, 1, 2, 5, 6, 8, 9, 10, 11, 127, 128, 255, random.below(256)]);
        }
      }
      const dump = forged(mine.map(([key, bytes]) => [key, resealed(key, bytes)] as const));
      const store = storeOf({ kept: [[encodeKey("k"), toStored(1)]] });
      const before = image(store);
      try {
        loadTables(store, dump, false);
      } catch (error) {
        assert.ok(
          error instanceof LuaStorageError && error.code === "corrupt",
          `seed ${seed}: ${(error as Error).stack}`,
        );
        assert.equal(image(store), before, `seed ${seed}`);
        continue;
      }
      loaded += 1;
      for (const entries of contents(store).values()) {
        for (const [key, value] of entries) {
          assert.equal(encodeKey(decode(Buffer.from(key, "latin1"))), key, `seed ${seed}`);
          decode(Buffer.from(value, "latin1"));
        }
      }
      assertRoundTrip(store, `seed ${seed}`);
    }
    assert.ok(loaded > 100, `${loaded} were loaded`);
  });

  test("a part, or a page, with an absurd number does not take memory or time", () => {
    const head = encodeTable("t1", { seq: 1, count: 0, bytes: 0, name: "t" });
    for (const key of [
      "v1:1:4000000000",
      "v1:1:9007199254740991",
      "v1:1:66",
      "p1:9007199254740991",
      "p1:140737488355328",
    ]) {
      assertRefused(
        forged([
          ["t1", head],
          [key, resealed(key, new Uint8Array(8))],
        ]),
        /^corrupt$/,
        key,
      );
    }
  });

  test("every vector that decoders refuse, and what no table may hold", () => {
    for (const { name, hex } of vectors.invalid) {
      if (hex === "") continue;
      assert.equal(isStoredValue(binaryOf(hex)), false, name);
      assertRefused(forgedEntry(encodeKey("k"), binaryOf(hex)), /^corrupt$/, name);
    }
    // nil, and what would be somebody's handle or id
    for (const hex of ["00", "08 01000000", "09 08 01000000", "0a 10000000 00000000", "0b 10000000 00000000", "0c"]) {
      assertRefused(forgedEntry(encodeKey("k"), binaryOf(hex)), /^corrupt$/, hex);
      assertRefused(forgedEntry(encodeKey("k"), `\x05${u32(1)}${u32(0)}${binaryOf(hex)}`), /^corrupt$/, hex);
    }
    for (const name of ["", "\xff", "x".repeat(1025)]) {
      assertRefused(forgedEntry(encodeKey("k"), `\x07${u32(name.length)}${name}`), /^corrupt$/);
      if (name !== "") assertRefused(forgedEntry(encodeKey("k"), toStored(1), name), /^corrupt$/);
    }
  });

  test("keys that are none, or are written in another way", () => {
    for (const hex of [
      "00",
      "03 000000000000f87f",
      "03 000000000000f03f",
      "03 0000000000000080",
      "01 02",
      "05 00000000 00000000",
      "06 00000000",
      "07 01000000 61",
      "02 01",
      "04 01000000 6161",
      "08 01000000",
    ]) {
      assert.equal(isStoredKey(binaryOf(hex)), false, hex);
      assertRefused(forgedEntry(binaryOf(hex), toStored(1)), /^corrupt$/, hex);
    }
  });
});

suite("untrusted JSON", () => {
  const nested = (open: string, close: string, depth: number) => open.repeat(depth) + close.repeat(depth);

  test("wrong everywhere", () => {
    const values = [null, { $integer: "" }, { $integer: "1.5" }, { $integer: "9223372036854775808" }, { $integer: 1 }];
    const more = [
      { $integer: "0x10" },
      { $integer: " 1" },
      { $integer: { toString: 1 } },
      { $integer: ["1"] },
      { $float: "" },
    ];
    const words = [
      { $float: "abc" },
      { $float: "0x7ff" },
      { $float: 1 },
      { $bytes: "*" },
      { $bytes: null },
      { $ref: 0 },
      { $ref: null },
    ];
    const tables = [
      { $external: "" },
      { $external: {} },
      { $external: "\ud800" },
      { $external: "x".repeat(1025) },
      { $unknown: 1 },
    ];
    const shapes = [
      { $table: 1, $pairs: [] },
      { $table: [] },
      { $pairs: [] },
      { $table: [null], $pairs: [] },
      { $table: [], $pairs: {} },
    ];
    const pairs = [
      [1],
      [1, 2, 3],
      1,
      null,
      [null, 1],
      [1, null],
      [{ $float: "0x7ff8000000000000" }, 1],
      [{ $ref: 5 }, 1],
    ];
    const mixed = [
      { a: 1, $b: 2 },
      { $integer: "1", x: 2 },
      { $table: [], $pairs: [], x: 1 },
      { $ref: 0, $id: 1 },
      { $id: 1 },
    ];
    const ids = [
      { $table: [], $pairs: [], $id: null },
      [
        { $table: [], $pairs: [], $id: 1 },
        { $table: [], $pairs: [], $id: 1 },
      ],
    ];
    const all = [...values, ...more, ...words, ...tables, ...shapes, ...mixed, ...ids, "\ud800", 2 ** 53, 1e300];
    for (const value of [...all, ...pairs.map((pair) => ({ $table: [], $pairs: [pair] }))]) {
      assertRefused(jsonDump(["k", value]), /^corrupt$/, JSON.stringify(value));
      assertRefused(jsonDump(["k", [1, { a: value }]]), /^corrupt$/, JSON.stringify(value));
    }
    for (const key of [
      null,
      [],
      {},
      { $ref: 0 },
      { $integer: "x" },
      { $float: "0x7ff8000000000000" },
      { $external: "t" },
      2 ** 60,
      "\udfff",
      { $integer: "1", $float: "1" },
      { $table: [], $pairs: [] },
    ]) {
      assertRefused(jsonDump([key, 1]), /^corrupt$/, JSON.stringify(key));
    }
    for (const entry of [null, 1, "ab", {}, [], ["k"], ["k", 1, 2]])
      assertRefused(jsonDump(entry), /^corrupt$/, JSON.stringify(entry));
    for (const table of [
      null,
      1,
      "t",
      [],
      {},
      { name: "t" },
      { entries: [] },
      { name: 1, entries: [] },
      { name: "", entries: [] },
      { name: "\ud800", entries: [] },
      { name: "x".repeat(1025), entries: [] },
      { name: "t", entries: {} },
    ]) {
      assertRefused(JSON.stringify({ perilune: 1, tables: [table] }), /^corrupt$/, JSON.stringify(table));
    }
    for (const tables of [null, 1, "x", {}, undefined]) assertRefused(JSON.stringify({ perilune: 1, tables }));
    for (const perilune of [0, -1, 0.5]) assertRefused(JSON.stringify({ perilune, tables: [] }));
  });

  test("numbers that are not what they say", () => {
    for (const number of ["1e400", "-1e400", "9007199254740992", "123456789012345678901234567890", "1e21"]) {
      assertRefused(`{"perilune": 1, "tables": [{"name": "t", "entries": [["k", ${number}]]}]}`, /^corrupt$/, number);
      assertRefused(`{"perilune": 1, "tables": [{"name": "t", "entries": [[${number}, 1]]}]}`, /^corrupt$/, number);
    }
  });

  test("twice the same key, or table", () => {
    assertRefused(jsonDump(["k", 1], ["k", 2]));
    assertRefused(jsonDump([1, 1], [{ $float: "1" }, 2]));
    assertRefused('{"perilune": 1, "tables": [{"name": "t", "entries": []}, {"name": "t", "entries": []}]}');
  });

  test("nesting of 100,000", () => {
    for (const value of [nested("[", "]", 100_000), nested('{"a":', "", 99_999) + "1" + "}".repeat(99_999)]) {
      assertRefused(`{"perilune": 1, "tables": [{"name": "t", "entries": [["k", ${value}]]}]}`);
      assertRefused(`{"perilune": 1, "tables": [{"name": "t", "entries": [["k", {"$integer": ${value}}]]}]}`);
      assertRefused(`{"perilune": 1, "tables": [{"name": "t", "entries": [[${value}, 1]]}]}`);
      assertRefused(`{"perilune": 1, "tables": ${value}}`);
      assertRefused(`{"perilune": ${value}, "tables": []}`, /^foreign$/);
      assertRefused(value, /^foreign$/);
    }
  });

  test("prototypes stay what they are", () => {
    const value = '{"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 2}}}';
    const store = new TableStore();
    loadTables(
      store,
      `{"perilune": 1, "__proto__": {"polluted": 3}, "tables": [{"name": "__proto__", "entries": [["__proto__", ${value}]]}]}`,
      false,
    );
    const found = decode(Buffer.from(store.open("__proto__").get(encodeKey("__proto__")) as string, "latin1"));
    assert.deepEqual(Object.keys(found as object), ["__proto__", "constructor"]);
    assert.equal(({} as { polluted?: unknown }).polluted, undefined);
    assertRoundTrip(store);
    assertRefused('{"__proto__": {"perilune": 1, "tables": []}}', /^foreign$/);
    assertRefused('{"perilune": 1, "__proto__": {"tables": []}}');
  });

  test("any node of a dump as something else", () => {
    const source = new Random(3);
    const values = Array.from({ length: 30 }, () => [encodeKey(source.below(1e6)), randomStored(source, 3)] as const);
    const json = dumpJson(storeOf({ t: values, u: [[encodeKey("k"), toStored([1, { a: "b" }])]] }));
    const junk = [
      null,
      true,
      0,
      -1,
      1.5,
      2 ** 53,
      "",
      "t",
      "$ref",
      [],
      {},
      [[]],
      [1, 2],
      { $ref: 0 },
      { $integer: "5" },
      { $id: 0 },
      { $table: [], $pairs: [] },
    ];
    let loaded = 0;
    for (let seed = 1; seed <= 4000; seed++) {
      const random = new Random(seed);
      const tree: unknown = JSON.parse(json);
      for (let changes = 1 + random.below(2); changes > 0; changes--) {
        let node = tree as Record<string, unknown>;
        for (;;) {
          const key = random.pick(Object.keys(node));
          if (key === undefined) break;
          const next = node[key];
          if (typeof next === "object" && next !== null && random.below(8) > 0) {
            node = next as Record<string, unknown>;
            continue;
          }
          if (random.below(4) === 0) delete node[key];
          else node[key] = structuredClone(random.pick(junk));
          break;
        }
      }
      const store = storeOf({ kept: [[encodeKey("k"), toStored(1)]] });
      const before = image(store);
      try {
        loadTables(store, JSON.stringify(tree), false);
      } catch (error) {
        assert.ok(error instanceof LuaStorageError, `seed ${seed}: ${(error as Error).stack}`);
        assert.match(error.code, /^(corrupt|newer|foreign)$/, `seed ${seed}: ${error.message}`);
        assert.equal(image(store), before, `seed ${seed}`);
        continue;
      }
      loaded += 1;
      for (const entries of contents(store).values()) {
        for (const [, value] of entries) decode(Buffer.from(value, "latin1"));
      }
      assertRoundTrip(store, `seed ${seed}`);
    }
    assert.ok(loaded > 100, `${loaded} were loaded`);
  });
});

suite("through Lua", () => {
  const refused = (code: string) => (error: unknown) => error instanceof LuaStorageError && error.code === code;

  test("what Lua has written comes back as it was, in both formats", async () => {
    const source = await Lua.create();
    source.eval(`
      local t = ext.table("t")
      t.float, t.integer, t.huge, t.nan, t.zero = 1.0, 1, math.mininteger, 0/0, -0.0
      t[1], t[1.5], t[true], t["1"], t["\\xff"], t[-1 << 63] = "one", "float", "true", "text", "bytes", "smallest"
      local shared = { "shared" }
      local cyclic = { shared, shared, [shared] = "key" }
      cyclic.me = cyclic
      t.cyclic = cyclic
      t.other = ext.table("other")
      t.empty = {}
      for i = 1, 200 do ext.table("many")[("k%d"):format(i)] = { i, tostring(i), { [i * 7] = i } } end`);
    const check = `
      local t = ext.table("t")
      assert(math.type(t.float) == "float" and math.type(t.integer) == "integer" and t.huge == math.mininteger)
      assert(t.nan ~= t.nan and 1 / t.zero == -math.huge)
      assert(t[1] == "one" and t[1.5] == "float" and t[true] == "true" and t["1"] == "text" and t["\\xff"] == "bytes")
      assert(t[-1 << 63] == "smallest")
      local c = t.cyclic
      assert(c.me == c and c[1] == c[2] and c[c[1]] == "key" and c[1][1] == "shared")
      assert(t.other == ext.table("other") and next(t.empty) == nil)
      local i = 0
      for k, v in pairs(ext.table("many")) do i = i + 1 assert(k == "k" .. i and v[1] == i and v[3][i * 7] == i) end
      return i`;
    assert.equal(source.eval(check), 200);
    for (const dump of [source.dump(), source.dump({ format: "json" })]) {
      const target = await Lua.create();
      target.load(dump);
      assert.equal(target.eval(check), 200);
      assert.deepEqual(target.tables(), source.tables());
      assert.equal(target.dump({ format: "json" }), source.dump({ format: "json" }));
      await target.close();
    }
    assert.throws(() => source.dump({ format: "xml" as never }), TypeError);
    await source.close();
    assert.throws(() => source.dump(), { kind: "closed" });
    assert.throws(() => source.load("{}"), { kind: "closed" });
  });

  test("what is not in the dump is dropped, or kept; what is there stays the same table", async () => {
    const lua = await Lua.create();
    lua.table("a").set("x", 1);
    const dump = lua.dump();
    lua.eval("a, b = ext.table('a'), ext.table('b') b.y = 1 a.z = 2");
    const [a, b] = [lua.table("a"), lua.table("b")];
    lua.load(dump, { keep: true });
    assert.deepEqual([[...a], [...b]], [[["x", 1]], [["y", 1]]]);
    a.set("w", 1);
    lua.load(dump);
    assert.deepEqual(lua.tables(), ["a"]);
    assert.equal(lua.table("a"), a);
    assert.deepEqual([...a], [["x", 1]]);
    assert.equal(lua.eval("return a.x"), 1);
    assert.equal(lua.eval("return a == ext.table('a')"), true);
    assert.throws(() => b.get("y"), refused("closed"));
    assert.match(String(lua.eval("return select(2, pcall(function() return b.y end))")), /dropped/);
    assert.equal(lua.eval("return ext.table('b').y"), undefined);
    await lua.close();
  });

  test("an entry that names a table which is not there makes it when it is read", async () => {
    const lua = await Lua.create();
    lua.load(jsonDump(["k", { $external: "elsewhere" }]));
    assert.deepEqual(lua.tables(), ["t"]);
    assert.equal((lua.table("t").get("k") as LuaTable).name, "elsewhere");
    assert.deepEqual(lua.tables(), ["t", "elsewhere"]);
    await lua.close();
  });

  test("from a host function, in a transaction of Lua and in one of JavaScript", async () => {
    const storage = new RecordBackend();
    const lua = await Lua.create({ storage });
    lua.table("t").set("k", "dumped");
    const dump = lua.dump();
    lua.register("load", () => lua.load(dump));
    lua.register("bad", () => lua.load(dump.subarray(1)));
    assert.equal(
      lua.eval(`
        local t = ext.table("t")
        t.k, t.l = "new", 1
        local seen = {}
        for k in pairs(t) do
          -- What is loaded comes behind all that was there.
          if #seen == 0 then host.load() end
          seen[#seen + 1] = k
        end
        assert(table.concat(seen, " ") == "k k")
        t.after = true
        return t.k .. tostring(t.l) .. #t`),
      "dumpednil0",
    );
    assert.deepEqual(
      [...lua.table("t")],
      [
        ["k", "dumped"],
        ["after", true],
      ],
    );
    assert.equal(
      lua.eval(`
        local t = ext.table("t")
        t.k = "before"
        ext.table("new").x = 1
        local ok, message = pcall(ext.transaction, function() host.load() assert(t.k == "dumped" and t.after == nil) error("no") end)
        assert(not ok and not pcall(host.bad))
        return t.k`),
      "before",
    );
    assert.equal(lua.table("new").get("x"), 1);
    assert.throws(() =>
      lua.transaction(() => {
        lua.load(dump);
        assert.deepEqual(lua.tables(), ["t"]);
        assert.equal(lua.eval("return ext.table('t').k"), "dumped");
        throw new Error("no");
      }),
    );
    assert.deepEqual(lua.tables(), ["t", "new"]);
    assert.equal(lua.table("t").get("k"), "before");
    await lua.flush();
    assert.equal((await openStore(storage.survivor())).names().length, 2);
    lua.load(dump);
    await settled();
    assert.deepEqual([...contents(await openStore(storage.survivor())).keys()], ["t"]);
    await lua.close();
  });

  test("is one batch, which is told and committed as one", async () => {
    const storage = new RecordBackend();
    const lua = await Lua.create({ storage });
    lua.table("a").set("x", 1).set("y", { z: 1 });
    const dump = lua.dump();
    lua.eval("ext.drop('a') ext.table('b').k = 1");
    await lua.flush();
    await settled();
    const { commits } = storage;
    const received: unknown[] = [];
    lua.on("change", ({ tables, changes, eval: number, origin }) =>
      received.push([tables, changes.length, number, origin]),
    );
    lua.load(dump);
    await settled();
    assert.equal(storage.commits, commits + 1);
    assert.deepEqual(received, [[["b", "a"], 3, undefined, "js"]]);
    await lua.close();
  });

  test("where there is no room for all of it, nothing of it comes", async () => {
    const lua = await Lua.create();
    lua.table("big").set("small", 1);
    for (let i = 0; i < 100; i++) lua.table("big").set(i, "x".repeat(100));
    const dumps = [lua.dump(), lua.dump({ format: "json" })];
    await lua.close();
    const small = await Lua.create({ storageLimit: 5000 });
    small.eval("t = ext.table('mine') t.x = 1 ext.table('big').old = 1");
    for (const dump of dumps) {
      const before = small.dump({ format: "json" });
      assert.throws(() => small.load(dump), refused("quota"));
      assert.equal(small.dump({ format: "json" }), before);
      assert.equal(small.eval("return t.x"), 1);
      await settled();
      assert.equal(small.dump({ format: "json" }), before);
    }
    // What was there makes room for what comes.
    for (let i = 0; i < 20; i++) small.table("fill").set(i, "x".repeat(20));
    const other = await Lua.create();
    for (let i = 0; i < 20; i++) other.table("instead").set(i, "x".repeat(20));
    small.load(other.dump());
    assert.equal(small.table("instead").size, 20);
    await Promise.all([small.close(), other.close()]);
  });

  test("a store that is found damaged can still be loaded into, also when somebody listens", async () => {
    const storage = new RecordBackend();
    const first = await Lua.create({ storage });
    for (let i = 0; i < 100; i++) first.table("t").set(i, i);
    const dump = first.dump();
    await first.close();
    storage.records.delete("p1:1");
    for (const listens of [false, true]) {
      const backend = storage.survivor();
      const lua = await Lua.create({ storage: backend });
      assert.throws(() => lua.dump({ format: "json" }), refused("corrupt"));
      if (listens) lua.on("change", ({ changes }) => assert.equal(changes.length, 100));
      lua.load(dump);
      assert.equal(lua.table("t").size, 100);
      await lua.close();
      const again = await Lua.create({ storage: backend });
      assert.equal(again.table("t").get(99), 99);
      await again.close();
    }
  });
});

suite("dumps of this version", () => {
  const folder = resolve("../tests/vectors/storage");
  /** Fills a VM with the tables of tests/vectors/storage/dump-1.bin and dump-1.json. */
  const fill = (lua: Lua) =>
    lua.eval(`
      local t = ext.table("kinds")
      t["true"], t["false"], t.integer, t.negative, t.large = true, false, 1, -1, math.maxinteger
      t.float, t.whole, t.zero, t.huge, t.nan = 0.1, 1.0, -0.0, math.huge, 0/0
      t.text, t.empty, t.bytes, t.long = "Mondsüchtig \\0 €", "", "\\xff\\0", ("lang "):rep(250)
      t.list, t.record, t.mixed, t.nothing = { 1, "2", { 3 } }, { a = 1 }, { 1, 2, x = 3 }, {}
      t.numbered = { ["10"] = "a" }
      local shared = {}
      t.cyclic = { shared, shared }
      local me = { [true] = "Ich" }
      me.me = me
      t.me = me
      t.external = ext.table("Tische/é")
      local keys = ext.table("keys")
      for i, key in ipairs { "name", "", "\\xff", 1, -5, 1 << 60, 0.5, math.huge, true, false } do keys[key] = i end
      local many = ext.table("Tische/é")
      for i = 1, 100 do many[i] = i * i end
      for i = 1, 90 do many[i] = nil end
      ext.table("leer")`);

  for (const file of ["dump-1.bin", "dump-1.json"]) {
    test(file, async () => {
      const bytes = readFileSync(resolve(folder, file));
      const lua = await Lua.create();
      lua.table("gone").set("x", 1);
      lua.load(file.endsWith("json") ? bytes.toString() : bytes);
      assert.deepEqual(lua.tables(), ["kinds", "Tische/é", "keys", "leer"]);
      const cyclic = new Map<LuaValue, LuaValue>([[true, "Ich"]]);
      const kinds = Object.fromEntries(lua.table<string, LuaValue>("kinds"));
      cyclic.set("me", cyclic);
      assert.deepStrictEqual(kinds, {
        true: true,
        false: false,
        integer: 1,
        negative: -1,
        large: 2n ** 63n - 1n,
        float: 0.1,
        whole: 1,
        zero: -0,
        huge: Infinity,
        nan: NaN,
        text: "Mondsüchtig \0 €",
        empty: "",
        bytes: Uint8Array.of(255, 0),
        long: "lang ".repeat(250),
        list: [1, "2", [3]],
        record: { a: 1 },
        mixed: new Map<LuaValue, LuaValue>([
          [1, 1],
          [2, 2],
          ["x", 3],
        ]),
        nothing: {},
        numbered: { 10: "a" },
        cyclic: [{}, {}],
        me: cyclic,
        external: lua.table("Tische/é"),
      });
      assert.equal(lua.eval("local c = ext.table('kinds').cyclic return c[1] == c[2] and c[1] ~= nil"), true);
      assert.equal(lua.eval("return math.type(ext.table('kinds').whole)"), "float");
      const keys = ["name", "", Uint8Array.of(255), 1, -5, 2n ** 60n, 0.5, Infinity, true, false];
      assert.deepStrictEqual(
        [...lua.table("keys")],
        keys.map((key, at) => [key, at + 1]),
      );
      assert.deepStrictEqual(
        [...lua.table("Tische/é")],
        Array.from({ length: 10 }, (_, i) => [i + 91, (i + 91) ** 2]),
      );
      assert.equal(lua.table("leer").size, 0);
      const written = await Lua.create();
      fill(written);
      // Lua's own order of pairs, and the sign of its NaN, are as they happen to be: only what is dumped
      // again is compared.
      assert.deepEqual(written.tables(), lua.tables());
      const again = await Lua.create();
      again.load(lua.dump());
      assert.equal(again.dump({ format: "json" }), lua.dump({ format: "json" }));
      await Promise.all([lua.close(), written.close(), again.close()]);
    });
  }
});

test("a dump may come as an ArrayBuffer, as fetch gives it", async () => {
  const lua = await Lua.create();
  lua.table("t").set("a", 1);
  const { buffer } = lua.dump();
  lua.table("t").set("a", 2);
  lua.load(buffer);
  assert.equal(lua.table("t").get("a"), 1);
  assert.throws(() => lua.load([1] as never), { name: "TypeError", message: /Uint8Array, an ArrayBuffer or a string/ });
  assert.throws(() => lua.transaction(5 as never), {
    name: "TypeError",
    message: "transaction takes a function, not a number",
  });
  await lua.close();
});
