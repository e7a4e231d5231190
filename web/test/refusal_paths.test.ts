/**
 * The refusal of something inside a value names its path: every leaf that a border refuses, at a random place
 * of a random tree. The path is worked out here anew, from the tree; without the leaf the same tree passes. A
 * border, or a leaf, that is new belongs in the lists.
 */
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import { Lua, LuaClosedError, LuaError, type LuaFunction } from "../src/index.ts";
import { Random } from "./helpers.ts";

const SEEDS = 40;

const TEXTS = [
  "ore",
  "_tracker1",
  "end",
  "",
  "7",
  "two words",
  'quo"te\\',
  "line\nbreak\r\t\b\f\x01\x1f\x7f",
  "nul\0",
  "größe",
  "😀",
  "(at .x)",
  "$dollar",
  "__proto__",
  "constructor",
  "toString",
  "exactly_forty_characters_of_an_identifie",
  "exactly_forty_characters_of_an_identifier",
  "😀".repeat(41),
  "x".repeat(500),
];

const OTHER_KEYS: unknown[] = [0, -7, 1, 2, 0.5, -1e300, 2 ** 53, -(2n ** 63n), 2n ** 60n, true, false];
const BYTES_KEYS = [Uint8Array.of(0xff), Uint8Array.of(0x61, 0x80, 0x62), new TextEncoder().encode("bytes")];

/** Step of a path, as it should be. */
function step(key: unknown): string {
  const text = key instanceof Uint8Array ? Buffer.from(key).toString() : key;
  if (typeof text !== "string") return `[${typeof text === "object" ? "object" : String(text)}]`;
  const characters = [...text];
  const shown = characters.length > 40 ? `${characters.slice(0, 40).join("")}...` : text;
  let isName = shown !== "" && !/[0-9]/.test(shown.charAt(0));
  for (const character of shown) {
    isName &&= "_0123456789abcdefghijklmnopqrstuvwxyz".includes(character.toLowerCase()) && character < "\x80";
  }
  return isName ? `.${shown}` : `[${JSON.stringify(shown)}]`;
}

/** The words with the path behind them, as they should be. */
function located(words: string, steps: readonly string[]): string {
  const path = [...steps.join("")];
  if (path.length === 0) return words;
  const shown = path.length <= 200 ? path : [...path.slice(0, 80), "...", ...path.slice(-117)];
  return `${words} (at ${shown.join("")})`;
}

interface Tree {
  /** Makes the value, with a leaf. */
  make(leaf: unknown): unknown;
  /** The path to the leaf in JavaScript, and in Lua. */
  steps: string[];
  luaSteps: string[];
}

const identity = (key: unknown) =>
  key instanceof Uint8Array ? `t${Buffer.from(key).toString("latin1")}` : `${typeof key === "string"}${String(key)}`;

function randomKey(random: Random): unknown {
  const kind = random.below(4);
  return kind === 0 ? random.pick(OTHER_KEYS) : kind === 1 ? random.pick(BYTES_KEYS) : random.pick(TEXTS);
}

function sibling(random: Random): unknown {
  return random.pick([0, "text", true, 0.5, [], {}, [1, [2]], { a: { b: 1 } }, new Map([[true, 1]]), 2n ** 53n - 1n]);
}

function siblings(random: Random, own: unknown, key: () => unknown): [unknown, unknown][] {
  const taken = new Set([identity(own)]);
  const entries: [unknown, unknown][] = [];
  for (let i = random.below(4); i > 0; i--) {
    const other = key();
    if (taken.has(identity(other))) continue;
    taken.add(identity(other));
    entries.push([other, sibling(random)]);
  }
  return entries;
}

/** A tree with the leaf at a random place. */
function randomTree(random: Random): Tree {
  const depth = random.below(5) === 0 ? 20 + random.below(60) : random.below(6);
  let make = (leaf: unknown): unknown => leaf;
  const steps: string[] = [];
  const luaSteps: string[] = [];
  for (let i = 0; i < depth; i++) {
    const inner = make;
    const kind = random.below(4);
    if (kind === 0) {
      const front = Array.from({ length: random.below(4) }, () => (random.below(6) === 0 ? null : sibling(random)));
      const back = Array.from({ length: random.below(3) }, () => sibling(random));
      make = (leaf) => [...front, inner(leaf), ...back];
      steps.push(`[${front.length}]`);
      luaSteps.push(`[${front.length + 1}]`);
      continue;
    }
    const isMap = kind === 1;
    const newKey = () => (isMap ? randomKey(random) : random.pick(TEXTS));
    const key = newKey();
    const entries = siblings(random, key, newKey);
    const at = random.below(entries.length + 1);
    make = (leaf) => {
      const all = [...entries.slice(0, at), [key, inner(leaf)] as [unknown, unknown], ...entries.slice(at)];
      if (isMap) return new Map(all);
      const object: object = kind === 2 ? {} : (Object.create(null) as object);
      for (const [name, value] of all) {
        Object.defineProperty(object, name as string, { value, enumerable: true, writable: true, configurable: true });
      }
      return object;
    };
    steps.push(step(key));
    luaSteps.push(step(key));
  }
  return { make, steps: steps.reverse(), luaSteps: luaSteps.reverse() };
}

class Foo {}

/** Leaf that is refused: what it is, its refusal, and the class of that. */
type Leaf = [leaf: unknown, words: string, kind: new (...args: never[]) => Error];

let lua: Lua;
let other: Lua;
let strict: Lua;
before(async () => {
  lua = await Lua.create();
  other = await Lua.create();
  strict = await Lua.create({ integers: "number" });
});
after(async () => {
  for (const vm of [lua, other, strict]) await vm.close();
});

/** A list in a list in a list, deeper than a value may be. */
function deep(): unknown {
  let value: unknown = 1;
  for (let i = 0; i < 250; i++) value = [value];
  return value;
}
const DEEP = "the value is nested deeper than 200 tables";

/** Leaves that no border takes. */
function leaves(): Leaf[] {
  const cannot = (what: string, hint = "") => `a ${what} cannot be given to Lua${hint}`;
  const surrogate = "the string has a lone surrogate, which UTF-8 cannot express";
  return [
    [Symbol("x"), cannot("symbol"), TypeError],
    [2n ** 63n, "9223372036854775808n does not fit in Lua's 64 bits", RangeError],
    [new Foo(), cannot("Foo"), TypeError],
    [new Set([1]), cannot("Set"), TypeError],
    [Promise.resolve(), cannot("Promise", "; await it first"), TypeError],
    [
      new Date(0),
      cannot("Date", "; pass Math.floor(date.getTime() / 1000), which is what Lua's os.date takes"),
      TypeError,
    ],
    ["\ud800", surrogate, TypeError],
    ["x".repeat(100) + "\ud800", surrogate, TypeError],
    [deep(), DEEP, RangeError],
    // Keys: the path leads to their table, whatever is in the key.
    [{ a: 1, "\ud800": 1 }, surrogate, TypeError],
    [
      new Map<unknown, unknown>([
        ["a", 1],
        [NaN, 1],
      ]),
      "NaN cannot be a key of a Lua table",
      TypeError,
    ],
    [new Map([[undefined, 1]]), "undefined cannot be a key of a Lua table", TypeError],
    [new Map([[Symbol("x"), 1]]), cannot("symbol"), TypeError],
    [new Map([[{ x: { y: new Foo() } }, 1]]), cannot("Foo"), TypeError],
  ];
}

/** Leaves that a VM refuses, and a store, too, with other words. */
function foreign(): Leaf[] {
  const gone = lua.eval<LuaFunction>("return print");
  gone.dispose();
  return [
    [Foo, "the class Foo cannot be given to Lua; give a function that makes one", TypeError],
    [other.eval("return print"), "the value belongs to another Lua", TypeError],
    [other.ref({}), "the object was made for another Lua", TypeError],
    [gone, "the value was disposed of", LuaClosedError],
  ];
}

/** Leaves that only a store refuses. */
function unstorable(): Leaf[] {
  const words = "functions, threads, userdata and errors cannot be kept in an external table";
  return [
    () => 1,
    Foo,
    lua.eval("return print"),
    lua.eval("return coroutine.create(print)"),
    lua.ref({}),
    new Error("x"),
  ].map((leaf) => [leaf, words, TypeError]);
}

/** The path to a leaf: of the list that is nested too deep, on to the array that is one too many. */
function pathOf([, words]: Leaf, steps: readonly string[], depth = 200): string[] {
  if (words !== DEEP) return [...steps];
  return [...steps, ...Array.from({ length: depth - steps.length }, () => "[0]")];
}

async function thrownBy(run: () => unknown): Promise<Error> {
  try {
    await run();
  } catch (error) {
    return error as Error;
  }
  assert.fail("nothing was refused");
}

interface Border {
  put: (value: unknown) => unknown;
  /** Words before those of the refusal. */
  prefix?: string;
}

async function refuses(border: Border, all: Leaf[], isWritten: () => unknown): Promise<void> {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const tree = randomTree(new Random(seed));
    for (const leaf of all) {
      const error = await thrownBy(() => border.put(tree.make(leaf[0])));
      const words = `${border.prefix ?? ""}${leaf[1]}`;
      assert.equal(error.message.replace(/^eval:\d+: /, ""), located(words, pathOf(leaf, tree.steps)), `seed ${seed}`);
      if (border.prefix === undefined) {
        assert.equal(error.constructor, leaf[2]);
        // What consoles print.
        assert.ok(error.stack?.includes(error.message.split("\n")[0] as string));
      }
      assert.equal(isWritten(), false);
    }
    await border.put(tree.make(7));
    assert.equal(isWritten(), true);
    lua.globals.set("v", undefined);
    lua.table("t").clear();
  }
}

suite("a refusal names its path", () => {
  let given: unknown;
  const isSet = () => lua.globals.get("v") !== undefined;
  const borders = (): Record<string, Border> => {
    lua.eval("function set(_, value) v = value end");
    const set = lua.eval<LuaFunction>("return set");
    lua.register("give", () => given);
    lua.register("later", async () => given);
    lua.globals.set("box", lua.ref({ give: () => given }, ["give"]));
    const giving = (source: string) => (value: unknown) => {
      given = value;
      return lua.eval(source);
    };
    return {
      "a global": { put: (value) => lua.globals.set("v", value) },
      call: { put: (value) => lua.call("set", 1, value) },
      callAll: { put: (value) => lua.callAll("set", 1, value) },
      callAsync: { put: (value) => lua.callAsync("set", 1, value) },
      "a function of Lua": { put: (value) => set(1, value) },
      "all its results": { put: (value) => set.callAll(1, value) },
      "a function of Lua that may wait": { put: (value) => set.callAsync(1, value) },
      eval: { put: (value) => lua.eval("_G.v = v", { env: { v: value, _G: lua.eval("return _G") } }) },
      "what a host function returns": { put: giving("v = give()"), prefix: "TypeError: result of 'give': " },
      "what a method returns": { put: giving("v = box:give()"), prefix: "TypeError: result of 'give': " },
      "what a promise is fulfilled with": {
        put: (value) => {
          given = value;
          return lua.evalAsync("v = later()");
        },
        prefix: "TypeError: result of 'later': ",
      },
    };
  };

  test("what goes to a VM", async (t) => {
    for (const [name, border] of Object.entries(borders())) {
      await t.test(name, async () => {
        let all = [...leaves(), ...foreign()];
        if (border.prefix !== undefined) {
          // These say the class of the refusal as well, and a promise is waited for.
          all = all.filter(([leaf, , kind]) => kind === TypeError && !(leaf instanceof Promise));
        }
        if (name === "eval") {
          // Its environment is around the value.
          for (const leaf of all) {
            const error = await thrownBy(() => border.put({ a: leaf[0] }));
            assert.equal(error.message, located(leaf[1], pathOf(leaf, [".v", ".a"])));
          }
          return;
        }
        await refuses(border, all, isSet);
      });
    }
  });

  test("what goes to a store", async (t) => {
    const table = lua.table("t");
    const isStored = () => table.size > 0;
    const all = [...leaves(), ...unstorable()];
    await t.test("set", () => refuses({ put: (value) => table.set("k", value) }, all, isStored));
    await t.test("setMany", () =>
      refuses(
        {
          put: (value) =>
            table.setMany([
              ["first", 1],
              ["k", value],
            ] as never),
        },
        all,
        isStored,
      ),
    );
  });

  test("an integer that is no safe one, as Lua counts", async (t) => {
    const value = 2n ** 60n;
    const table = strict.table("t");
    let taken: unknown;
    strict.register("take", (of: unknown) => void (taken = of));
    lua.eval("function get() return 1, v end");
    const as = { integers: "number" } as const;
    const ways: Record<string, () => unknown> = {
      "a global": () => lua.globals.get("v", as),
      eval: () => lua.eval("return v", as),
      evalAll: () => lua.evalAll("return 1, v", as),
      evalAsync: () => lua.evalAsync("return v", as),
      "an argument": () => strict.eval("take(v)"),
      "an external table": () => table.get("k"),
    };
    for (const [name, way] of Object.entries(ways)) {
      await t.test(name, async () => {
        for (let seed = 1; seed <= SEEDS; seed++) {
          const tree = randomTree(new Random(seed));
          for (const [leaf, steps] of [
            [value, tree.luaSteps],
            [new Map([[value, 1]]), tree.luaSteps],
            [new Map([[{ x: [value] }, 1]]), tree.luaSteps],
            [new Map([[{}, [value]]]), [...tree.luaSteps, "[object]", "[1]"]],
          ] as const) {
            const made = tree.make(leaf);
            if (hasUnsafeKey(made, leaf)) continue;
            for (const vm of [lua, strict]) vm.globals.set("v", made);
            strict.table("t").set("k", made);
            taken = undefined;
            const error = await thrownBy(way);
            const words = `${value} is no safe integer, and option "integers" is "number"`;
            const position = /^eval:\d+: |^LuaError: /g;
            const message = error.message.replace(position, "").replace(position, "");
            assert.equal(message, located(words, steps), `seed ${seed}`);
            assert.ok(error instanceof LuaError);
            assert.equal(taken, undefined);
          }
        }
      });
    }
  });
});

/** Says whether a key beside the leaf is an integer that is refused itself. */
function hasUnsafeKey(value: unknown, leaf: unknown): boolean {
  if (value === leaf || typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return false;
  if (value instanceof Map) {
    return [...value].some(
      ([key, of]) =>
        typeof key === "bigint" || (typeof key === "number" && Math.abs(key) === 2 ** 53) || hasUnsafeKey(of, leaf),
    );
  }
  return Object.values(value).some((of) => hasUnsafeKey(of, leaf));
}

suite("what others throw passes as it is", () => {
  const own = new TypeError("mine");
  const fail = (): never => {
    throw own;
  };
  const throwers: Record<string, () => unknown> = {
    "a getter": () => Object.defineProperty({}, "x", { enumerable: true, get: fail }),
    "a getter in an array": () => Object.defineProperty([1], 0, { get: fail }),
    "a proxy that hides its names": () => new Proxy({}, { ownKeys: fail }),
    "a proxy that hides its class": () => new Proxy({}, { getPrototypeOf: fail }),
    "a proxy that shows nothing": () => new Proxy({ a: 1 }, { get: fail }),
    "a function that hides its name": () => Object.defineProperty(() => 1, "name", { get: fail }),
    "a Map of another kind": () => Object.assign(new Map([[1, 2]]), { get: fail }),
    "a Map that cannot be walked": () => Object.assign(new Map([[2, 2]]), { [Symbol.iterator]: fail }),
    "a getter that calls Lua": () => ({
      get x() {
        return lua.eval("error(v)", { env: { v: lua.ref(own) } });
      },
    }),
  };

  for (const [name, make] of Object.entries(throwers)) {
    test(name, async () => {
      for (let seed = 1; seed <= 20; seed++) {
        const tree = randomTree(new Random(seed));
        const error = await thrownBy(() => lua.globals.set("v", tree.make(make())));
        if (name === "a getter that calls Lua") {
          assert.ok(error instanceof LuaError && !error.message.includes(" (at "));
        } else {
          assert.equal(error, own);
          assert.equal(error.message, "mine");
        }
      }
    });
  }

  test("a refusal of a value of its own, in a getter, has the path in that", async () => {
    const value = {
      a: [
        {
          get b() {
            lua.globals.set("w", { inner: [Symbol("x")] });
            return 1;
          },
        },
      ],
    };
    const error = await thrownBy(() => lua.globals.set("v", value));
    assert.equal(error.message, "a symbol cannot be given to Lua (at .inner[0])");
    const kept = await thrownBy(() => lua.globals.set("v", { again: { get: 1, x: [Symbol("x")] } }));
    assert.equal(kept.message, "a symbol cannot be given to Lua (at .again.x[0])");
    // One that was caught before is like any other, with a path or without.
    for (const refused of [
      () => lua.globals.set("v", Symbol("x")),
      () => lua.globals.set("v", [Symbol("x")]),
      () => lua.eval("return { 1 << 60 }", { integers: "number" }),
    ]) {
      let thrown: unknown;
      const outer = await thrownBy(() =>
        lua.globals.set("v", {
          around: {
            get deep() {
              try {
                return refused();
              } catch (error) {
                thrown = error;
                throw error;
              }
            },
          },
        }),
      );
      assert.equal(outer, thrown);
      assert.doesNotMatch(outer.message, /around/);
    }
    const again = await thrownBy(() =>
      lua.globals.set("v", {
        get deep() {
          throw kept;
        },
      }),
    );
    assert.equal(again, kept);
    assert.equal(again.message, "a symbol cannot be given to Lua (at .again.x[0])");
  });
});
