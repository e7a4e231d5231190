/**
 * Contract of every storage, seen through the package: run over memory, storage objects and files in Node,
 * and over IndexedDB in a page. Uses nothing of Node, and no test runner: each part throws when something is
 * wrong.
 */
import type { Lua as LuaClass, LuaOptions, LuaTable } from "../src/index.ts";
import { describe } from "./describe.ts";
import { Random } from "./random.ts";
import { until } from "./time.ts";

/** A place to keep tables in, empty at first. */
export interface Place {
  Lua: typeof LuaClass;
  /** Options to open the storage with, each time. */
  options: LuaOptions;
  /** True if only one may write the storage at a time, and others may read along. */
  shared: boolean;
}

type Part = (place: Place) => Promise<void>;

/** Describes values like `describe`, also those that have themselves inside, and external tables. */
function shape(value: unknown, above: object[] = []): unknown {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return describe(value);
  if (above.includes(value)) return ["above", above.length - above.indexOf(value)];
  const inner = (of: unknown) => shape(of, [...above, value]);
  if (Array.isArray(value)) return value.map(inner);
  if (value instanceof Map) return ["map", [...value].map(([key, of]) => [inner(key), inner(of)])];
  if (Symbol.iterator in value) return ["external", (value as LuaTable).name];
  return ["object", Object.entries(value).map(([key, of]) => [key, inner(of)])];
}

function same(actual: unknown, expected: unknown, what: string): void {
  const [a, b] = [JSON.stringify(shape(actual)), JSON.stringify(shape(expected))];
  if (a !== b) throw new Error(`${what}: ${a} instead of ${b}`);
}

async function opened<T>({ Lua, options }: Place, use: (lua: LuaClass) => T | Promise<T>): Promise<T> {
  const lua = await Lua.create(options);
  try {
    return await use(lua);
  } finally {
    await lua.close();
  }
}

/** Names, and all entries in their order. */
function everything(lua: LuaClass): unknown {
  return lua.tables().map((name) => [name, [...lua.table(name)]]);
}

/** Writes, and makes sure that the next one who opens it finds the same. */
async function comesBack(place: Place, write: (lua: LuaClass) => void | Promise<void>): Promise<void> {
  const before = await opened(place, async (lua) => {
    await write(lua);
    return everything(lua);
  });
  same(await opened(place, everything), before, "what was opened again");
}

/** Parts of the contract by name; each gets a fresh place. */
export const PARTS: [name: string, part: Part][] = [
  [
    "every kind of value and key comes back, in its order",
    (place) =>
      comesBack(place, (lua) => {
        lua.eval(`
          local t = ext.table("values")
          t.boolean, t.no, t.integer, t.float, t.whole = true, false, math.mininteger, 0.1, 1.0
          t.nan, t.inf, t.zero = 0 / 0, -math.huge, -0.0
          t.text, t.bytes, t.empty = "h\\u{e9}llo", "\\0\\xff\\x80", ""
          t.nested = { 1, 2, { x = { y = "z" } }, [true] = 1.5 }
          local shared = { "both" }
          t.shared = { shared, shared }
          local cycle = {} cycle.self = cycle
          t.cycle = cycle
          t.other = ext.table("other")
          t[1], t[2.0], t[-1], t[1.5], t[true], t[""], t["\\xff"] = 1, 2, 3, 4, 5, 6, 7
          t[math.maxinteger] = "last"
        `);
        const { nested, other } = Object.fromEntries(lua.table("values")) as Record<string, unknown>;
        same(
          nested,
          new Map<unknown, unknown>([
            [1, 1],
            [2, 2],
            [3, { x: { y: "z" } }],
            [true, 1.5],
          ]),
          "nested",
        );
        if (other !== lua.table("other")) throw new Error("an external table comes back as itself");
      }),
  ],
  [
    "an overwritten entry keeps its place, one set again goes to the end, also the next time",
    async (place) => {
      await comesBack(place, (lua) =>
        lua.eval("local t = ext.table('t') for _, k in ipairs { 'a', 'b', 'c', 'd' } do t[k] = 1 end"),
      );
      await comesBack(place, (lua) => lua.eval("local t = ext.table('t') t.c = 2 t.a = nil t.e = 1 t.a = 3"));
      same(await opened(place, (lua) => [...lua.table("t").keys()]), ["b", "c", "d", "e", "a"], "the order");
    },
  ],
  [
    "what is removed, cleared and dropped is gone, and a name can be used again",
    async (place) => {
      await comesBack(place, (lua) => {
        lua.eval(
          "for _, name in ipairs { 'z', 'y', 'x' } do local t = ext.table(name) for i = 1, 200 do t[i] = i end end",
        );
      });
      await comesBack(place, (lua) => {
        lua.eval("for i = 1, 199 do ext.table('z')[i] = nil end ext.clear(ext.table('y')) ext.drop('x')");
        same(lua.tables(), ["z", "y"], "names");
      });
      await comesBack(place, (lua) => {
        lua.eval("ext.table('x').again = true ext.drop('z') ext.table('z').young = true");
        same(lua.tables(), ["y", "x", "z"], "names by age");
      });
      same(
        await opened(place, (lua) => [...lua.table("x")]),
        [["x", 0]].slice(1).concat([["again", true]] as never),
        "x",
      );
    },
  ],
  [
    "a transaction that fails leaves nothing, an eval that fails what it wrote",
    async (place) => {
      await comesBack(place, (lua) => {
        lua.eval("ext.table('t').a = 1");
        lua.tryEval(
          "ext.transaction(function() ext.table('t').a = 2 ext.drop('t') ext.table('u').x = 1 error('no') end)",
        );
        lua.tryEval("ext.table('t').b = 1 error('no')");
      });
      same(
        await opened(place, everything),
        [
          [
            "t",
            [
              ["a", 1],
              ["b", 1],
            ],
          ],
        ],
        "the tables",
      );
    },
  ],
  [
    "flush commits, and tells",
    (place) =>
      opened(place, async (lua) => {
        const commits: number[] = [];
        lua.on("commit", ({ entries }) => commits.push(entries));
        lua.eval("ext.table('t').a = 1");
        lua.table("t").set("b", 2);
        await lua.flush();
        await Promise.resolve();
        if (lua.stats().storage.state !== "none") {
          same(
            commits.reduce((sum, n) => sum + n, 0),
            2,
            "entries",
          );
          same(lua.stats().storage.pendingBytes, 0, "nothing waits");
        }
      }),
  ],
  [
    "thousands of entries, and holes where others were",
    async (place) => {
      await comesBack(place, (lua) => lua.eval("local t = ext.table('t') for i = 1, 5000 do t[i] = 'value ' .. i end"));
      await comesBack(place, (lua) => {
        lua.eval(
          "local t = ext.table('t') for i = 1, 5000 do if i % 7 ~= 0 then t[i] = nil end end for i = 1, 500 do t['x' .. i] = i end",
        );
      });
      same(await opened(place, (lua) => lua.eval("return ext.count(ext.table('t'))")), 714 + 500, "how many");
    },
  ],
  [
    "large entries, among small ones",
    async (place) => {
      const bytes = (length: number, seed: number) => Uint8Array.from({ length }, (_, i) => (i * seed) & 255);
      await comesBack(place, (lua) => {
        const t = lua.table("t");
        t.set("small", 1)
          .set("page", bytes(990, 3))
          .set("overflow", bytes(1100, 5))
          .set("parts", bytes(2_500_000, 7))
          .set("last", 2);
        t.set(bytes(3000, 11), "a long key");
      });
      await comesBack(place, (lua) => {
        lua.table("t").set("small", 2).set("parts", bytes(1_100_000, 13)).delete("overflow");
      });
      same(await opened(place, (lua) => (lua.table("t").get("parts") as Uint8Array).length), 1_100_000, "its length");
      await comesBack(place, (lua) => void lua.table("t").set("parts", "small").set("page", bytes(1001, 3)));
    },
  ],
  [
    "a dump goes from here to memory and back, binary and JSON",
    async (place) => {
      await opened(place, (lua) =>
        lua.eval("local t = ext.table('t') for i = 1, 300 do t[i] = { i, tostring(i) } end ext.table('u').x = 1.0"),
      );
      const memory = { ...place, options: {} };
      for (const format of ["binary", "json"] as const) {
        const [dump, before] = await opened(place, (lua) => [
          lua.dump({ format } as { format: "json" }),
          everything(lua),
        ]);
        await opened(memory, (lua) => {
          lua.load(dump);
          same(everything(lua), before, format);
        });
        await comesBack(place, (lua) => {
          lua.eval("ext.drop('t') ext.table('v').y = 1");
          lua.load(dump);
          same(new Set(lua.tables()).size, 2, "names");
        });
      }
    },
  ],
  [
    "random programs, opened again and again",
    async (place) => {
      for (let seed = 1; seed <= 5; seed++) {
        const random = new Random(seed);
        const model = new Map<string, number>();
        for (let round = 0; round < 6; round++) {
          await opened(place, async (lua) => {
            const t = lua.table("t");
            if (round === 0) t.clear();
            same([...t], [...model], `seed ${seed}, round ${round}`);
            for (let step = 0; step < 60; step++) {
              const key = `k${random.below(40)}`;
              if (random.below(3) === 0) {
                lua.eval(`ext.table('t').${key} = nil`);
                model.delete(key);
              } else if (random.below(20) === 0) {
                t.clear();
                model.clear();
              } else {
                lua.eval(`ext.table('t').${key} = ${step}`);
                model.set(key, step);
              }
              if (random.below(10) === 0) await lua.flush();
            }
          });
        }
      }
    },
  ],
  [
    "one writes: another is refused until it closes, and may wait",
    async (place) => {
      if (!place.shared) return;
      const { Lua, options } = place;
      const first = await Lua.create(options);
      first.eval("ext.table('t').a = 1");
      const code = await Lua.create({ ...options, lockTimeout: 50 }).then(
        () => "none",
        (error: { code: string }) => error.code,
      );
      same(code, "locked", "the second");
      const waiting = Lua.create({ ...options, lockTimeout: Infinity });
      await first.close();
      const next = await waiting;
      same(next.eval("return ext.table('t').a"), 1, "what the first has left");
      await next.close();
    },
  ],
  [
    "others read along, and never write",
    async (place) => {
      if (!place.shared) return;
      const { Lua, options } = place;
      await opened({ ...place, options: { ...options, readOnly: true } }, async (reader) => {
        const t = reader.table("t");
        same([t.size, reader.tables(), reader.stats().storage.state], [0, [], "following"], "nothing is there yet");
        const changes: unknown[] = [];
        t.on("change", (event) =>
          changes.push(...event.changes.map(({ key, old, new: now }) => [key, old, now]), event.origin),
        );
        const writer = await Lua.create(options);
        writer.eval("local t = ext.table('t') t.a = 1 t.b = 2");
        await writer.flush();
        await until(() => t.size === 2);
        writer.eval("local t = ext.table('t') t.a = { 'new' } t.b = nil ext.table('u').large = ('x'):rep(100000)");
        await writer.flush();
        await until(() => t.size === 1 && reader.table("u").size === 1);
        same([[...t], reader.tables()], [[["a", ["new"]]], ["t", "u"]], "what arrived");
        same(
          changes,
          [["a", undefined, 1], ["b", undefined, 2], "storage", ["b", 2, undefined], ["a", 1, ["new"]], "storage"],
          "changes",
        );
        for (const write of [
          () => t.set("a", 1),
          () => reader.eval("ext.table('t').a = 1"),
          () => reader.eval("ext.drop('t')"),
        ]) {
          let code = "none";
          try {
            write();
          } catch (error) {
            code = (error as { code: string }).code;
          }
          same(code, "read-only", "a write");
        }
        await writer.close();
        // The next one who writes is followed, too.
        const next = await Lua.create(options);
        next.eval("ext.table('t').c = 3 ext.drop('u')");
        await next.flush();
        await until(() => t.size === 2 && reader.tables().length === 1);
        await next.close();
      });
    },
  ],
];
