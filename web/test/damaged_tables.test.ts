/**
 * Stored bytes that are not what was written: flipped, cut, swapped, lost, or somebody else's. What can be
 * read is exactly what was there; everything else is an error that says `corrupt`, at the opening or at the
 * first use, and storage is left as it is.
 */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { openStore } from "#js/storage/open_store.js";
import { Lua, LuaStorageError } from "../src/index.ts";
import { Random } from "./helpers.ts";
import { RecordBackend, contents, type Contents } from "./record_backend.ts";

const ROUNDS = 12_000;

/** Tables of one page and of several, with holes, with overflow entries, and one that is empty. */
async function filled(): Promise<RecordBackend> {
  const backend = new RecordBackend();
  const store = await openStore(backend);
  for (let i = 0; i < 200; i++) store.open("many").set(`k${i}`, `value ${i}`);
  for (let i = 20; i < 90; i++) store.open("many").remove(`k${i}`);
  store.open("few").set("a", "1");
  store.open("few").set("b", "\0\xff");
  store.open("large").set("a", "x".repeat(1200));
  store.open("large").set("b", "y".repeat(2 ** 20 + 100));
  store.open("large").set("c", "z");
  store.open("empty");
  await store.close();
  backend.commits = backend.closed = 0;
  return backend;
}

/** Changes something about one record, or about two. */
function damage(records: Map<string, Uint8Array>, random: Random): void {
  const key = random.pick([...records.keys()]);
  const bytes = records.get(key) as Uint8Array;
  const other = random.pick([...records.keys()]);
  switch (random.below(7)) {
    case 0:
    case 1: {
      const flipped = bytes.slice();
      const at = random.below(3) === 0 ? Math.min(random.below(40), bytes.length - 1) : random.below(bytes.length);
      (flipped[at] as number) ^= 1 << random.below(8);
      records.set(key, flipped);
      break;
    }
    case 2:
      records.set(key, bytes.slice(0, random.pick([0, 1, 4, 28, bytes.length - 1, random.below(bytes.length)])));
      break;
    case 3:
      records.set(key, Uint8Array.of(...bytes.slice(-2000), random.below(256)));
      break;
    case 4:
      records.set(key, records.get(other) as Uint8Array);
      records.set(other, bytes);
      break;
    case 5:
      records.delete(key);
      break;
    default: {
      const strange = [
        "t5",
        "t1",
        "p1:1",
        "p1:9",
        "p2:0",
        "p9:0",
        "v3:2:2",
        "v3:1:0",
        "v3:9:0",
        "v1:1:0",
        "x",
        "",
        "t01",
        "p1:1:1",
      ];
      records.set(random.pick([...strange, other]), bytes);
    }
  }
}

/**
 * Returns the tables that are left when every record of one is lost: the others. Nothing says that it was
 * there.
 */
function expected(all: Contents, records: Map<string, Uint8Array>): Contents {
  const left: Contents = new Map(all);
  [...all.keys()].forEach((name, at) => {
    const lost = [...records.keys()].every((key) => Number.parseInt(key.slice(1), 10) !== at + 1);
    if (lost) left.delete(name);
  });
  return left;
}

suite("damaged records", () => {
  test(`${ROUNDS} times`, async () => {
    const whole = await filled();
    const before = contents(await openStore(whole.survivor()));
    const counts = { opening: 0, use: 0, whole: 0 };
    for (let seed = 1; seed <= ROUNDS; seed++) {
      const random = new Random(seed);
      const backend = whole.survivor();
      for (let changes = 1 + random.below(3); changes > 0; changes--) damage(backend.records, random);
      const records = new Map(backend.records);
      let opened = false;
      try {
        const store = await openStore(backend);
        opened = true;
        assert.deepEqual(contents(store), expected(before, records), `seed ${seed}`);
        counts.whole += 1;
        await store.close();
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        const { code, message, stack } = error as Error & { code: unknown };
        assert.equal(code, "corrupt", `seed ${seed}: ${stack}`);
        assert.match(message, /damaged/);
        counts[opened ? "use" : "opening"] += 1;
      }
      assert.equal(backend.commits, 0, `seed ${seed}`);
      assert.deepEqual(backend.records, records);
    }
    for (const [what, count] of Object.entries(counts)) assert.ok(count > 100, `${what}: ${count}`);
  });

  test("a table that is found damaged refuses each time, and the others go on", async () => {
    const backend = await filled();
    backend.records.delete("p1:0");
    const store = await openStore(backend);
    const table = store.open("many");
    for (let i = 0; i < 3; i++) {
      for (const use of [
        () => table.get("k1"),
        () => table.set("k1", "v"),
        () => table.remove("k1"),
        () => table.next(0),
      ]) {
        assert.throws(use, { code: "corrupt" });
      }
    }
    assert.equal(store.open("few").get("a"), "1");
    store.open("few").set("c", "3");
    await store.close();
    assert.equal(backend.commits, 1);
    const again = await openStore(backend.survivor());
    assert.equal(again.open("few").get("c"), "3");
    assert.throws(() => again.open("many").get("k1"), { code: "corrupt" });
  });

  test("one that is damaged can be cleared and dropped, also where somebody listens", async () => {
    for (const listens of [false, true]) {
      for (const away of ["clear", "drop"]) {
        const backend = await filled();
        backend.records.delete("p1:0");
        backend.records.delete("v3:2:1");
        const store = await openStore(backend);
        if (listens) store.on("change", () => {});
        for (const name of ["many", "large"]) {
          if (away === "drop") store.drop(name);
          else store.open(name).clear();
          store.open(name).set("new", "1");
        }
        await store.close();
        const again = contents(await openStore(backend));
        assert.deepEqual([again.get("many"), again.get("large")], [[["new", "1"]], [["new", "1"]]]);
      }
    }
  });

  test("an old page among new ones is found when it does not fit", async () => {
    const backend = new RecordBackend();
    const store = await openStore(backend);
    const table = store.open("t");
    for (let i = 0; i < 100; i++) table.set(`k${i}`, "1");
    await store.flush();
    const old = new Map(backend.records);
    const then = contents(store);
    table.remove("k5");
    table.set("k5", "1");
    table.set("k70", "longer");
    await store.close();
    for (const key of ["p1:0", "p1:1", "t1"]) {
      const mixed = backend.survivor();
      mixed.records.set(key, old.get(key) as Uint8Array);
      const opened = await openStore(mixed);
      assert.throws(() => opened.open("t").get("k1"), { code: "corrupt" }, key);
    }
    backend.records = old;
    assert.deepEqual(contents(await openStore(backend)), then);
  });
});

suite("damaged records, through Lua", () => {
  const corrupt = (error: unknown) => error instanceof LuaStorageError && error.code === "corrupt";

  test("at the opening", async () => {
    const backend = await filled();
    (backend.records.get("p1:0") as Uint8Array)[3] = 77;
    await assert.rejects(Lua.create({ storage: backend }), corrupt);
    assert.deepEqual([backend.commits, backend.closed], [0, 1]);
  });

  test("at the first use", async () => {
    const backend = await filled();
    backend.records.delete("p1:0");
    backend.records.delete("v3:2:1");
    const lua = await Lua.create({ storage: backend });
    const [many, large] = [lua.table("many"), lua.table("large")];
    for (const use of [
      () => many.get("x"),
      () => many.has("x"),
      () => many.delete("x"),
      () => [...large],
      () => large.set("x", 1),
      () => large.setMany({ x: 1 }),
      () => lua.eval("return ext.table('many').x"),
      () => lua.eval("for k in pairs(ext.table('many')) do end"),
      () => lua.eval("ext.table('large').x = 1"),
      () => lua.dump({ format: "json" }),
    ]) {
      assert.throws(use, corrupt, String(use));
    }
    assert.match(String(lua.eval("return select(2, pcall(function() return #ext.table('many') end))")), /damaged/);
    assert.equal(lua.eval("return 1"), 1);
    await lua.flush();
    assert.equal(backend.commits, 0);
    await lua.close();
    assert.equal(backend.commits, 0);
  });
});

test("handles and ids that somebody has put into storage name nothing", async () => {
  const storage = new RecordBackend();
  const writer = await openStore(storage);
  const untrusted = {
    function: "\x08\x01\0\0\0",
    reference: "\x09\x07\x01\0\0\0",
    host: "\x0a\x10\0\0\0\x01\0\0\0f",
    object: "\x0b\x10\0\0\0\x01\0\0\0o",
    null: "\x0c",
  };
  for (const [name, bytes] of Object.entries(untrusted)) {
    // By itself, and in a table.
    writer.open("t").set(`\x04${String.fromCharCode(name.length)}\0\0\0${name}`, bytes);
    writer.open("u").set(`\x04${String.fromCharCode(name.length)}\0\0\0${name}`, `\x05\x01\0\0\0\0\0\0\0${bytes}`);
  }
  await writer.close();
  const lua = await Lua.create({ storage });
  // Something that the numbers could mean.
  lua.eval("secret = function() return 'secret' end");
  const held = lua.globals.get("secret");
  lua.register("f", () => "secret");
  for (const name of Object.keys(untrusted)) {
    for (const table of ["t", "u"]) {
      const read = lua.tryEval(`local v = ext.table('${table}').${name} return v`);
      assert.equal(read.ok, false, `${table}.${name}, from Lua`);
      assert.equal(lua.tryEval(`for k, v in pairs(ext.table('${table}')) do end`).ok, false);
      if (name !== "null") assert.throws(() => lua.table(table).get(name), `${table}.${name}, from JavaScript`);
    }
  }
  assert.equal(lua.eval("return 1"), 1);
  assert.ok(held);
  await lua.close();
});
