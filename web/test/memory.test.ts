/**
 * Memory that is full of garbage, or partly in use: nothing fails for want of memory before a collection has
 * run and did not help, whoever asks, Lua or Rust. The limit is that of the whole linear memory.
 */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { Lua, type LuaError, type LuaOptions } from "../src/index.ts";

const MODES = ["incremental", "generational"] as const;

interface Operation {
  name: string;
  run: (lua: Lua) => unknown;
  result: unknown;
}

const RECURSION = "local function f(n) return n == 0 and 0 or 1 + f(n - 1) end";
const LIST = "local a = {} for i = 1, n do a[i] = i end";

/**
 * Operations by name, each with its result: they allocate in Lua, in Rust's buffers, and in both. The larger
 * ones need several times `size` bytes.
 */
function operations(size: number): Operation[] {
  const n = Math.floor(size / 25);
  const result = size;
  const text = `('x'):rep(${size})`;
  const list = LIST.replace("n", String(n));
  const failed = (lua: Lua) => (lua.tryEval(`error({ text = ${text} })`) as { error: LuaError }).error;
  return [
    { name: "recursion", run: (lua) => lua.eval(`${RECURSION} return f(100)`), result: 100 },
    { name: "deep recursion", run: (lua) => lua.eval(`${RECURSION} return f(${n})`), result: n },
    { name: "a coroutine", run: (lua) => lua.eval("return coroutine.wrap(function(a) return a end)(1)"), result: 1 },
    {
      name: "coroutines",
      run: (lua) => lua.eval(`local t = {} for i = 1, ${n / 40} do t[i] = coroutine.create(print) end return #t`),
      result: n / 40,
    },
    { name: "a long string", run: (lua) => lua.eval(`return #${text}`), result },
    { name: "a long result", run: (lua) => lua.eval<string>(`return ${text}`).length, result },
    { name: "a long source", run: (lua) => lua.eval(`return 1${" ".repeat(size)}`), result: 1 },
    { name: "a large result", run: (lua) => lua.eval<number[]>(`${list} return a`).length, result: n },
    {
      name: "tables in tables",
      run: (lua) => lua.eval<unknown[]>(`local t = {} for i = 1, ${n / 4} do t[i] = { i } end return t`).length,
      result: n / 4,
    },
    {
      name: "large arguments",
      run: (lua) => lua.call("nothing", "x".repeat(size), Array(n).fill(1.5)),
      result: undefined,
    },
    { name: "a host function", run: (lua) => lua.eval(`return #give(${text})`), result },
    {
      name: "output",
      run: (lua) => lua.eval(`for i = 1, 50 do print(('y'):rep(1000)) end io.write(${text})`),
      result: undefined,
    },
    { name: "an external table", run: (lua) => lua.eval(`local t = ext.table('t') t.x = ${text} return #t.x`), result },
    {
      name: "a table in an external table",
      run: (lua) => lua.eval(`${list} local t = ext.table('t') t.a = a return #t.a`),
      result: n,
    },
    {
      name: "json",
      run: (lua) => lua.eval(`local j = require 'json' ${list} return #j.decode(j.encode(a))`),
      result: n,
    },
    {
      name: "base64",
      run: (lua) => lua.eval(`local b = require 'base64' return #b.decode(b.encode(${text}))`),
      result,
    },
    { name: "an environment", run: (lua) => lua.eval("string.x = n return string.x", { env: { n: 2 } }), result: 2 },
    { name: "a module", run: (lua) => lua.eval("package.loaded.mod = nil return require('mod').name"), result: "mod" },
    { name: "an error", run: (lua) => (failed(lua).value as { text: string }).text.length, result },
    {
      name: "a caught error",
      run: (lua) =>
        lua.eval("local function f(n) if n == 0 then error('x') end return 1 + f(n - 1) end return (pcall(f, 150))"),
      result: false,
    },
  ];
}

async function made(options: LuaOptions = {}): Promise<Lua> {
  const lua = await Lua.create({ modules: { mod: "return { name = ... }" }, stdout: () => {}, ...options });
  lua.register("give", (text: string) => text);
  lua.eval("function nothing() end");
  return lua;
}

/** Fills memory with garbage to within a kilobyte: the last piece but one before a collection runs. */
function fillWithGarbage(lua: Lua): void {
  const fill =
    "local most = ... collectgarbage() collectgarbage('stop') local watched = setmetatable({ {} }, { __mode = 'v' }) local n = 0 while watched[1] and n < most do n = n + 1 local s = ('x'):rep(1000) .. n end return n";
  lua.eval(`function fill(...) ${fill} end`);
  // The table of strings grows while they are made: not the first time only.
  let pieces = lua.call<number>("fill", 1e9);
  for (let most = 0; most !== pieces; pieces = lua.call<number>("fill", most)) {
    assert.ok(pieces > 100, `${pieces}`);
    most = pieces - 1;
  }
}

suite("memory full of garbage", () => {
  for (const mode of MODES) {
    test(`is as good as free memory, in ${mode} mode`, async () => {
      const lua = await made();
      lua.gc(mode);
      for (const { name, run, result } of operations(100_000)) {
        for (let round = 0; round < 3; round++) {
          fillWithGarbage(lua);
          assert.deepEqual(run(lua), result, name);
          lua.eval("collectgarbage('restart')");
        }
      }
      await lua.close();
    });
  }

  test("is as good as free memory where the host asks for it inside of a call", async () => {
    const lua = await made();
    lua.register(
      "inside",
      () => lua.eval<string>("return ('x'):rep(150000)").length + lua.call<number>("string.len", "y".repeat(150000)),
    );
    fillWithGarbage(lua);
    assert.equal(lua.eval("return inside()"), 300000);
    fillWithGarbage(lua);
    assert.equal(await lua.evalAsync("return inside()"), 300000);
    await lua.close();
  });
});

suite("memory that is partly in use", () => {
  for (const mode of MODES) {
    for (const [share, size] of [
      [0.3, 50_000],
      [0.45, 20_000],
      [0.6, 10_000],
    ] as const) {
      test(`${share * 100} % live, in ${mode} mode: each operation again and again`, async () => {
        const lua = await made();
        lua.gc(mode);
        const { luaUsed, limit } = lua.stats().memory;
        const tables = Math.floor((limit * share - luaUsed) / 72);
        // In many lists: one would need its double while it grows.
        lua.eval(`live = {} for i = 1, ${tables} do
          local at = i // 100 + 1 live[at] = live[at] or {} live[at][i % 100 + 1] = { i } end`);
        for (const { name, run, result } of operations(size)) {
          for (let round = 0; round < 150; round++) assert.deepEqual(run(lua), result, `${name}, ${round}`);
        }
        assert.ok(lua.stats().memory.peak > limit * share, "not as much as it says");
        await lua.close();
      });
    }
  }
});

suite('memoryLimit: "large"', () => {
  /** Bytes of a JSON text that the documentation says fits. */
  const JSON_BYTES = 2_000_000;

  test("is 16 MiB, in a new VM, a restored one and a fork", async () => {
    const lua = await Lua.create({ memoryLimit: "large" });
    const small = await Lua.create();
    const restored = await Lua.restore(small.snapshot(), { memoryLimit: "large" });
    const forked = await small.fork({ memoryLimit: "large" });
    for (const vm of [lua, restored, forked]) assert.equal(vm.stats().memory.limit, 16 * 1024 * 1024);
    for (const vm of [lua, small, restored, forked]) await vm.close();
  });

  test("has room for a large JSON text, which the default has not", async () => {
    const item = JSON.stringify({ id: 123456, name: "an item of the list", tags: ["a", "b"], price: 12.5 });
    const text = `[${Array(Math.ceil(JSON_BYTES / (item.length + 1)))
      .fill(item)
      .join(",")}]`;
    assert.ok(text.length >= JSON_BYTES);
    const source = "function count(text) return #require('json').decode(text) end";
    const lua = await Lua.create({ memoryLimit: "large" });
    lua.eval(source);
    assert.equal(lua.call("count", text), JSON.parse(text).length);
    const small = await Lua.create();
    small.eval(source);
    assert.throws(() => small.call("count", text), { kind: "memory" });
    await lua.close();
    await small.close();
  });

  test("is the only word", async () => {
    for (const memoryLimit of ["huge", "Large", "16777216", ""]) {
      const options = { memoryLimit } as unknown as LuaOptions;
      await assert.rejects(Lua.create(options), { name: "TypeError", message: /"large"/ });
    }
  });
});

suite("memory that is half in use", () => {
  /** Joins 8,000 short strings to one of 100 KB, and makes others: at most 1.2 MB of 2 are alive. */
  const JOIN = `function join(units)
    local bytes = 0
    for unit = 1, units do
      local parts = {}
      for i = 1, 8000 do parts[#parts + 1] = "item " .. i .. ":" .. (i ~ unit) end
      local text = table.concat(parts, ";")
      bytes = bytes + #text + text:byte(unit * 7)
      local line = ""
      for i = 1, 800 do line = line .. string.char(97 + i % 26) end
      bytes = bytes + #line:rep(20, "\\n") + #line:upper():reverse():sub(10, -10)
    end
    return bytes
  end`;

  test("has a place for a long string, wherever small ones lie", async () => {
    const lengths = new Set<unknown>();
    for (let layout = 0; layout < 24; layout++) {
      const lua = await Lua.create({ seed: 42 + layout });
      lua.eval(`pad = {} for i = 1, ${layout} do pad[i] = ('x'):rep(i * 7) end`);
      lua.eval(JOIN);
      for (let round = 0; round < 5; round++) lengths.add(lua.eval("return join(8)"));
      await lua.close();
    }
    assert.equal(lengths.size, 1);
  });
});

suite("a long list", () => {
  const WAYS = {
    "by its length": "t[#t + 1] = i",
    "by table.insert": "table.insert(t, i)",
    "between other values": "t[i] = i if i % 50 == 0 then s = { tostring(i) } end",
  };

  /** Lists double: the last but one and the last, of 512 KiB and 1 MiB, and their account. */
  for (const [name, append] of Object.entries(WAYS)) {
    test(`of 65,536 integers has room, wherever others lie: ${name}`, async () => {
      const failed: number[] = [];
      for (let layout = 0; layout < 80; layout++) {
        const lua = await Lua.create({ seed: 42 + layout });
        lua.eval(`pad = {} for i = 1, ${layout * 5} do pad[i] = ('x'):rep(i * 7 % 500) end
          for i = 1, ${layout * 5}, 2 do pad[i] = i % 3 == 0 and { i } or nil end`);
        const made = lua.tryEval(`local t, s = {} for i = 1, 65536 do ${append} end
          local sum = 0 for i = 1, #t do sum = sum + t[i] end return sum`);
        if (!made.ok) failed.push(layout);
        else assert.deepEqual(made.value, (65536 * 65537) / 2);
        await lua.close();
      }
      // Slabs of what is made meanwhile may lie behind the list when it has to grow.
      assert.ok(failed.length <= (append.includes("tostring") ? 20 : 0), `not in layouts ${failed.join(", ")}`);
    });
  }
});

suite("memory that was full of small values", () => {
  /** Counts the cycles of the collector, by a finalizer of an object that is garbage at once. */
  const COUNTED = `local cycles = 0
    local mt = {} mt.__gc = function() if mt then cycles = cycles + 1 setmetatable({}, mt) end end
    setmetatable({}, mt)
    for i = 1, 60000 do local t = { i } end
    mt = nil
    return cycles`;

  test("is collected no more often than fresh memory, as soon as they are gone", async () => {
    const lua = await Lua.create();
    const fresh = lua.eval<number>(COUNTED);
    // One value in 40 lives on, so that no slab is free.
    lua.eval(`kept = {} pcall(function() local n = 0
      while true do n = n + 1 local t = { n } if n % 40 == 0 then kept[#kept + 1] = t end
        all = { t, all } end end) all = nil collectgarbage()`);
    const { luaUsed, limit } = lua.stats().memory;
    assert.ok(luaUsed < limit / 4, `${luaUsed} bytes are in use`);
    const later = lua.eval<number>(COUNTED);
    assert.ok(later <= 4 * fresh + 4, `${fresh} cycles became ${later}`);
    await lua.close();
  });
});
