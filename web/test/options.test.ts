/**
 * Options of every public function: checked, and read once. The functions are those that the exported classes
 * have; one that is neither in the table of those with options nor among those without fails here.
 */
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import { Lua, LuaTable, setDefaultModule } from "../src/index.ts";
import { LuaGlobals } from "../src/globals.ts";
import { openRaw } from "../src/raw.ts";
import { LuaFactory } from "../src/wasmoon.ts";

type Call = (options: unknown) => unknown;

let lua: Lua;
let image: Uint8Array<ArrayBuffer>;
before(async () => {
  lua = await Lua.create();
  image = lua.snapshot();
});
after(() => lua.close());

/** Calls that take options, and the names of these. */
const CALLS: Record<string, { call: Call; options: string[] }> = {
  "Lua.create": {
    call: (options) => Lua.create(options as object),
    options:
      "boot durability fuel functions integers interrupted jit lockTimeout memoryLimit modules now onProgress openTimeout outputLimit readOnly resume sandbox seed stderr stdin stdout storage storageLimit strings timeout wasm".split(
        " ",
      ),
  },
  "Lua.restore": {
    call: (options) => Lua.restore(image, options as object),
    options:
      "boot durability fuel functions integers interrupted jit lockTimeout memoryLimit modules now onProgress openTimeout outputLimit readOnly resume sandbox seed stderr stdin stdout storage storageLimit strings tables timeout wasm".split(
        " ",
      ),
  },
  "Lua.image": { call: (options) => Lua.image(image, options as object), options: ["wasm"] },
  "lua.fork": {
    call: (options) => lua.fork(options as object),
    options:
      "boot durability fuel functions integers interrupted jit lockTimeout memoryLimit modules now onProgress openTimeout outputLimit readOnly resume sandbox seed stderr stdin stdout storage storageLimit strings tables timeout wasm".split(
        " ",
      ),
  },
  "lua.eval": {
    call: (options) => lua.eval("ran = true", options as object),
    options: ["env", "fuel", "integers", "name", "strings", "timeout"],
  },
  "lua.evalAll": {
    call: (options) => lua.evalAll("ran = true", options as object),
    options: ["env", "fuel", "integers", "name", "strings", "timeout"],
  },
  "lua.tryEval": {
    call: (options) => lua.tryEval("ran = true", options as object),
    options: ["env", "fuel", "integers", "name", "strings", "timeout"],
  },
  "lua.run": {
    call: (options) => lua.run("ran = true", options as object),
    options: ["env", "fuel", "integers", "name", "strings", "timeout"],
  },
  "lua.evalAsync": {
    call: (options) => lua.evalAsync("ran = true", options as object),
    options: ["env", "fuel", "integers", "name", "signal", "stderr", "stdout", "strings", "timeout"],
  },
  "lua.runAsync": {
    call: (options) => lua.runAsync("ran = true", options as object),
    options: ["env", "fuel", "integers", "name", "signal", "stderr", "stdout", "strings", "timeout"],
  },
  "table.get": { call: (options) => lua.table("t").get("x", options as object), options: ["integers", "strings"] },
  "globals.get": { call: (options) => lua.globals.get("x", options as object), options: ["integers", "strings"] },
  "lua.dump": { call: (options) => lua.dump(options as { format: "json" }), options: ["format"] },
  "lua.load": { call: (options) => lua.load(lua.dump(), options as object), options: ["keep"] },
  "lua.snapshot": { call: (options) => lua.snapshot(options as object), options: ["tables"] },
  "lua.close": { call: (options) => lua.close(options as object), options: ["discard"] },
  "lua.ref": { call: (options) => lua.ref({}, options as object), options: ["methods", "read", "write"] },
  openRaw: { call: (options) => openRaw(options as object), options: ["host", "output", "storage", "wasm"] },
  createEngine: {
    call: (options) => new LuaFactory().createEngine(options as object),
    options: ["enableProxy", "functionTimeout", "injectObjects", "openStandardLibs", "traceAllocations"],
  },
};

/** Functions without options, called with something that they cannot take; undefined: they take nothing. */
const OTHERS: Record<string, (() => unknown) | undefined> = {
  "lua.call": () => lua.call(5 as never),
  "table.get's key": () => lua.table("t").get({} as never),
  "globals.get's name": () => lua.globals.get(5 as never),
  "lua.callAll": () => lua.callAll(null as never),
  "lua.callAsync": () => lua.callAsync({} as never),
  "lua.register": () => lua.register("x", {} as never),
  "lua.table": () => lua.table(5 as never),
  "lua.preload": () => lua.preload(5 as never),
  "lua.transaction": () => lua.transaction({} as never),
  "lua.on": () => lua.on(Symbol("change") as never, () => {}),
  "lua.gc": () => lua.gc(Symbol("collect") as never),
  "lua.tables": undefined,
  "lua.persist": undefined,
  "lua.estimate": undefined,
  "lua.flush": undefined,
  "lua.stats": undefined,
  "lua.interrupt": undefined,
  "table.set": () => lua.table("t").set({} as never, 1),
  "table.setMany": () => lua.table("t").setMany([1] as never),
  "table.on": () => lua.table("t").on("change", {} as never),
  "table.has": () => lua.table("t").has({} as never),
  "table.delete": () => lua.table("t").delete({} as never),
  "table.clear": undefined,
  "table.keys": undefined,
  "table.values": undefined,
  "table.entries": undefined,
  "table.forEach": () =>
    lua
      .table("t")
      .set("x", 1)
      .forEach({} as never),
  "globals.set": () => lua.globals.set(5 as never, 1),
  "globals.has": () => lua.globals.has(null as never),
  "globals.delete": () => lua.globals.delete({} as never),
  "globals.keys": undefined,
  setDefaultModule: () => setDefaultModule({} as never),
};

/** Values of which no option takes more than one or two. */
const GARBAGE: [string, unknown][] = [
  ["null", null],
  ["a symbol", Symbol("x")],
  ["NaN", NaN],
  ["a negative number", -1],
  ["an empty function's class", class Nothing {}],
  ["a Set", new Set(["x"])],
  ["a date", new Date(0)],
  ["an array of numbers", [5]],
  ["a promise", new Promise(() => {})],
  ["a bigint", -5n],
];

/** Options that take anything of the kind, and find out later what it is. */
const TAKES: Record<string, RegExp> = {
  wasm: /^(a Set|a date|an array|a promise)/,
  seed: /^(a negative number|a bigint)/,
};

/** Returns the error that a call ends with, thrown or rejected; undefined when it does not. */
async function failureOf(call: () => unknown): Promise<unknown> {
  try {
    await call();
    return undefined;
  } catch (error) {
    return error;
  }
}

async function isRefused(call: () => unknown, words: RegExp, what: string): Promise<void> {
  const error = await failureOf(call);
  assert.ok(error instanceof TypeError || error instanceof RangeError, `${what}: ${String(error)}`);
  assert.match(error.message, words, what);
  // Not one of the engine's own, which name what the program does not know of.
  assert.doesNotMatch(error.message, /undefined \(reading|not iterable|is not a function|Cannot convert/, what);
}

suite("options", () => {
  test("of every public function are known here", () => {
    const methods = (name: string, of: object) =>
      Object.getOwnPropertyNames(of)
        .filter((key) => typeof Object.getOwnPropertyDescriptor(of, key)?.value === "function")
        .filter((key) => !["constructor", "length", "name", "prototype"].includes(key))
        .map((key) => `${name}.${key}`);
    const all = [
      ...methods("Lua", Lua),
      ...methods("lua", Lua.prototype),
      ...methods("table", LuaTable.prototype),
      ...methods("globals", LuaGlobals.prototype),
      "setDefaultModule",
      "openRaw",
      "createEngine",
    ];
    const known = [...Object.keys(CALLS), ...Object.keys(OTHERS).filter((name) => !name.includes("'"))];
    assert.deepEqual(known.sort(), all.sort());
  });

  test("garbage in the place of all options", async () => {
    for (const [name, { call }] of Object.entries(CALLS)) {
      for (const [what, garbage] of [...GARBAGE, ["text", "timeout"], ["a number", 5], ["true", true]] as const) {
        if (name === "lua.ref" && Array.isArray(garbage)) continue;
        await isRefused(() => call(garbage), /options must be an object|is no object/, `${name} of ${what}`);
      }
    }
  });

  test("garbage in the place of each option, and options that nobody knows", async () => {
    for (const [name, { call, options }] of Object.entries(CALLS)) {
      for (const option of options) {
        for (const [what, garbage] of GARBAGE) {
          if (TAKES[option]?.test(what)) continue;
          const words = new RegExp(`option "${option}"|a member is a name`);
          await isRefused(() => call({ [option]: garbage }), words, `${name}, ${option}: ${what}`);
        }
      }
      for (const option of ["kep", "Timeout", "__proto", "constructor", "toString"]) {
        await isRefused(() => call({ [option]: 1 }), new RegExp(`option "${option}" is unknown`), `${name}, ${option}`);
      }
    }
    assert.equal(lua.globals.has("ran"), false, "nothing has run");
    assert.equal(lua.eval("return 1"), 1, "it is not closed");
  });

  test("each is read once, wherever it comes from, and what its getter throws is what the caller gets", async () => {
    for (const [name, { call, options }] of Object.entries(CALLS)) {
      for (const option of options) {
        const thrown = new Error("a getter");
        const getter = Object.defineProperty({}, option, {
          enumerable: true,
          get: () => {
            throw thrown;
          },
        });
        assert.equal(await failureOf(() => call(getter)), thrown, `${name}, ${option}`);
        // Also one that is inherited, which would be used as well.
        assert.equal(await failureOf(() => call(Object.create(getter) as object)), thrown, `${name}, ${option}`);
        let reads = 0;
        const changing = new Proxy({ [option]: null } as Record<string, unknown>, {
          get: (target, key) => {
            if (key === option) reads += 1;
            // Refused at the first look; at a second it would be taken for one that was not given.
            return key === option && reads > 1 ? undefined : Reflect.get(target, key);
          },
        });
        await isRefused(() => call(changing), new RegExp(`option "${option}"`), `${name}, ${option}`);
        assert.equal(reads, 1, `${name}, ${option}`);
      }
    }
  });

  test("lists and objects in options are read once", async () => {
    const counted = <T extends object>(target: T) => {
      const reads = new Map<PropertyKey, number>();
      const proxy = new Proxy(target, {
        get(object, key) {
          reads.set(key, (reads.get(key) ?? 0) + 1);
          return Reflect.get(object, key) as unknown;
        },
      });
      const most = () => Math.max(0, ...[...reads].filter(([key]) => /^\d+$|^f$/.test(String(key))).map(([, n]) => n));
      return { proxy, most };
    };
    const libs = counted(["string", "host"]);
    const functions = counted({ f: () => 1 });
    const one = await Lua.create({ sandbox: { libs: libs.proxy }, functions: functions.proxy });
    assert.deepEqual([libs.most(), functions.most(), one.eval("return f()")], [1, 1, 1]);
    const members = counted(["a"]);
    const read = counted(["a"]);
    one.ref({}, members.proxy);
    one.ref({}, { read: read.proxy });
    assert.deepEqual([members.most(), read.most()], [1, 1]);
    // A list that changes its mind.
    let asked = 0;
    const list = new Proxy(["a"], {
      get: (target, key) => (key === "0" ? (++asked > 1 ? "constructor" : "a") : (Reflect.get(target, key) as unknown)),
    });
    const ref = one.ref({ a: 1 }, list);
    one.globals.set("o", ref);
    assert.equal(one.eval("return o.a"), 1);
    assert.match(String(one.eval("return select(2, pcall(function() return o.constructor end))")), /was not given/);
    await one.close();
  });

  test("members of a ref", async () => {
    for (const [members, words] of [
      [{ read: "constructor" }, /option "read" must be a list of names/],
      [{ write: { length: 1 } }, /option "write"/],
      [{ methods: ["constructor"] }, /leads to the class/],
      [["__proto__"], /leads to the class/],
      [[5], /a member is a name, not a number/],
    ] as const) {
      await isRefused(() => lua.ref({}, members as never), words, JSON.stringify(members));
    }
  });

  test("a signal is looked at before anything runs", async () => {
    const half = { aborted: false, addEventListener() {} };
    await isRefused(
      () => lua.evalAsync("ran = true", { signal: half as never }),
      /option "signal" must be an AbortSignal/,
      "half a signal",
    );
    assert.equal(lua.globals.has("ran"), false);
  });

  test("arguments of functions without options", async () => {
    for (const [name, call] of Object.entries(OTHERS)) {
      if (call !== undefined) await isRefused(call, /./, name);
    }
  });
});

test("names of modules that are no UTF-8 are asked of nobody", async () => {
  const asked: unknown[] = [];
  const one = await Lua.create({ modules: (name) => void asked.push(name) });
  const message = one.eval<string>("return select(2, pcall(require, 'a\\xff')):gsub('\\xff', '?') .. ''");
  assert.match(message, /module 'a\?' not found/);
  assert.throws(() => one.eval("require 'plain'"), /not found/);
  assert.deepEqual(asked, ["plain"]);
  await one.close();
});
