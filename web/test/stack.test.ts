/**
 * Every kind of C recursion, driven to its limit on the shadow stack that ships: it ends as a Lua error,
 * never as a trap. The stack is the first thing in linear memory, so painting it shows how much of it was
 * used.
 */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { Lua, LuaError, type LuaFunction } from "../src/index.ts";
import { openRaw } from "../src/raw.ts";
import { PAGE_BYTES } from "../src/snapshot/pages.ts";
import { settled } from "./helpers.ts";

/** Bytes of the stack, as the module itself says. */
const STACK_BYTES = (await openRaw()).stack_len();
/** Bytes that must be left on top of the deepest. */
const SPARE_BYTES = 8 * 1024;
const PAINT = 0xa5;

const RECURSIONS: Record<string, string> = {
  "gsub with a function": "local function f(s) return (s:gsub('.', f)) end f('x')",
  "gsub with __index":
    "local t = setmetatable({}, { __index = function(t, k) return (k:gsub('.', t)) end }) return t.x",
  "sort with a comparator": "local function f(a, b) table.sort({ 3, 2, 1, 5, 4 }, f) return a < b end f(1, 2)",
  "sort inside gsub":
    "local function f() return (('abc'):gsub('%w', function() table.sort({ 3, 2, 1 }, f) end)) end f()",
  __tostring: "local t t = setmetatable({}, { __tostring = function() return tostring(t) end }) tostring(t)",
  "__tostring by print": "local t t = setmetatable({}, { __tostring = function() print(t) end }) print(t)",
  "__tostring by format":
    "local t t = setmetatable({}, { __tostring = function() return ('%-20s %99.99f'):format(t, 1e300) end }) tostring(t)",
  "__tostring by io.write and concat":
    "local t t = setmetatable({}, { __tostring = function() io.write(('x'):rep(9), tostring(t)) return '' end, __concat = function() return tostring(t) end }) return t .. t",
  "table.concat over __index":
    "local t t = setmetatable({}, { __len = function() return 9 end, __index = function() return table.concat(t, ('x'):rep(9)) end }) table.concat(t)",
  __concat: "local t t = setmetatable({}, { __concat = function(a, b) return a .. b end }) return t .. t",
  __lt: "local t t = setmetatable({}, { __lt = function(a, b) return a < b end }) return t < t",
  __newindex: "local t t = setmetatable({}, { __newindex = function(t, k, v) t[k] = v end }) t.x = 1",
  __call: "local t t = setmetatable({}, { __call = function(self) return (self()) end }) t()",
  __close: "local function f() local x <close> = setmetatable({}, { __close = f }) end f()",
  __gc: "for i = 1, 99 do setmetatable({}, { __gc = function() collectgarbage() end }) end collectgarbage() error('overflow')",
  pcall: "local n = 0 local function f() n = n + 1 return pcall(f) end f() error('overflow')",
  xpcall: "local function f() return xpcall(f, f) end f() error('overflow')",
  "load with a reader": "local function f() return load(f) end f() error('overflow')",
  "coroutine.wrap": "local function f() return coroutine.wrap(f)() end f()",
  "coroutine.resume": "local function f() return coroutine.resume(coroutine.create(f)) end f() error('overflow')",
  "ext.transaction": "local function f() return ext.transaction(f) end f()",
  "ext.table in a metamethod":
    "local t = ext.table('t') local m m = setmetatable({}, { __index = function() t.x = { { 1 } } for k, v in pairs(t) do end return m.y end }) return m.x",
  require: "local n = 0 local function f() n = n + 1 package.preload['m' .. n] = f require('m' .. n) end f()",
  "json.encode in __pairs":
    "local json = require 'json' local t t = setmetatable({}, { __pairs = function() return next, { json.encode(t) }, nil end }) json.encode(t)",
  "json.encode of new tables in __pairs":
    "local json = require 'json' local function f() return json.encode(setmetatable({}, { __pairs = function() return next, { f() }, nil end })) end f()",
  "json.decode at the bottom":
    "local json = require 'json' local deep = ('['):rep(200) .. '1.5' .. (']'):rep(200) local function f() json.decode(deep, { depth = 200 }) return (('x'):gsub('.', f)) end f()",
  "json.encode at the bottom":
    "local json = require 'json' local deep = json.decode(('['):rep(200) .. '1.5' .. (']'):rep(200), { depth = 200 }) local function f() json.encode(deep, { depth = 200, sort_keys = true }) return (('x'):gsub('.', f)) end f()",
  "base64 at the bottom":
    "local base64 = require 'base64' local function f() base64.decode(base64.encode(('x'):rep(100))) pcall(base64.decode, '?') return (('x'):gsub('.', f)) end f()",
  "nested parentheses": "assert(load('return ' .. ('('):rep(1000) .. '1' .. (')'):rep(1000)))",
  "nested tables": "assert(load('return ' .. ('{'):rep(1000) .. '1' .. ('}'):rep(1000)))",
  "nested functions": "assert(load(('function f() '):rep(1000) .. ('end '):rep(1000)))",
  "nested blocks": "assert(load(('do '):rep(1000) .. ('end '):rep(1000)))",
  "nested calls": "assert(load(('f('):rep(1000) .. (')'):rep(1000)))",
  "unary operators": "assert(load('return ' .. ('not '):rep(5000) .. '1'))",
  "right-associative operators": "assert(load('return ' .. ('a..'):rep(5000) .. '1'))",
  "a pattern": "return string.find(('a'):rep(10000), ('a?'):rep(10000))",
  "a deep value going out": "local t = {} for i = 1, 500 do t = { t } end ext.table('t').x = t",
  "a deep value coming in":
    "local t = {} for i = 1, 199 do t = { t } end ext.table('t').x = t t = ext.table('t').x error('overflow')",
};

/** Recursions at the bottom of host functions and Lua that call each other. */
const BOTTOMS = [
  "gsub with a function",
  "sort with a comparator",
  "sort inside gsub",
  "__tostring by format",
  "table.concat over __index",
  "__close",
  "coroutine.wrap",
  "load with a reader",
  "ext.table in a metamethod",
  "json.encode in __pairs",
  "nested tables",
  "a pattern",
  "a deep value going out",
];

/** Host functions inside of each other: HOST_DEPTH_MAX of src/limits.rs, but for the outermost call. */
const NESTED_MAX = 127;

function paint(memory: WebAssembly.Memory): void {
  new Uint8Array(memory.buffer, 0, STACK_BYTES - 1024).fill(PAINT);
}

/** Returns how many bytes of the stack have no paint any more. */
function painted(memory: WebAssembly.Memory): number {
  const stack = new Uint8Array(memory.buffer, 0, STACK_BYTES);
  return STACK_BYTES - stack.findIndex((byte) => byte !== PAINT);
}

test("the stack is a whole number of the pages that images have", () => {
  assert.ok(STACK_BYTES >= 64 * 1024 && STACK_BYTES % PAGE_BYTES === 0, String(STACK_BYTES));
});

test("the stack has the size that crates/perilune-wasm sets", () => {
  assert.equal(STACK_BYTES, 192 * 1024);
});

test("every recursion ends in a Lua error, with stack to spare", async (t) => {
  const raw = await openRaw({ output: () => {} });
  assert.equal(raw.init(), 0);
  let deepest = 0;
  for (const [name, source] of Object.entries(RECURSIONS)) {
    paint(raw.memory);
    const bytes = new TextEncoder().encode(source);
    new Uint8Array(raw.memory.buffer, raw.io_reserve(bytes.length), bytes.length).set(bytes);
    raw.eval(bytes.length);
    const status = new Uint8Array(raw.memory.buffer, raw.io_ptr(), 1)[0];
    assert.ok(status === 1 || status === 2 || status === 3, `${name}: status ${status}`);
    const used = painted(raw.memory);
    deepest = Math.max(deepest, used);
    assert.ok(used < STACK_BYTES - SPARE_BYTES, `${name} used ${used} bytes of stack`);
  }
  t.diagnostic(`the deepest used ${deepest} of ${STACK_BYTES} bytes`);
  await raw.close();
});

suite("below host functions and Lua that call each other", async () => {
  const { instantiate } = WebAssembly;
  let memory!: WebAssembly.Memory;
  const catching = async (module: WebAssembly.Module, imports: WebAssembly.Imports) => {
    const instance = await instantiate(module, imports);
    memory = instance.exports["memory"] as WebAssembly.Memory;
    return instance;
  };
  type Enter = (lua: Lua, step: LuaFunction, left: number, failed: (error: unknown) => void) => unknown;
  const ways: Record<string, Enter> = {
    call: (lua, _step, left) => lua.call("step", left),
    eval: (lua, _step, left) => lua.eval(`return step(${left})`),
    "a named eval": (lua, _step, left) => lua.eval(`return step(${left})`, { name: "x".repeat(1000) }),
    "a function": (_lua, step, left) => step(left),
    callAsync: (lua, _step, left, failed) => void lua.callAsync("step", left).catch(failed),
  };
  for (const [way, enter] of Object.entries(ways)) {
    test(`by ${way}: every recursion at the bottom ends in a Lua error, with stack to spare`, async (t) => {
      t.mock.method(WebAssembly, "instantiate", catching);
      let deepest = 0;
      for (const name of BOTTOMS) {
        const lua = await Lua.create();
        const failures: unknown[] = [];
        const failed = (error: unknown) => void failures.push(error);
        // What the bottom raises goes up through every level, with a message handler at each.
        lua.register("down", (left: number) => {
          try {
            return enter(lua, step, left - 1, failed);
          } catch (error) {
            failed(error);
            throw error;
          }
        });
        lua.eval(`function step(left) if left > 0 then return (down(left)) end ${RECURSIONS[name]} end`);
        const step = lua.globals.get("step") as LuaFunction;
        paint(memory);
        lua.tryEval(`return step(${NESTED_MAX})`);
        const used = painted(memory);
        deepest = Math.max(deepest, used);
        assert.ok(used < STACK_BYTES - SPARE_BYTES, `${name} used ${used} bytes of stack`);
        await settled();
        assert.equal(failures.length, way === "callAsync" ? 1 : NESTED_MAX, name);
        for (const error of failures) assert.ok(error instanceof LuaError && error.kind !== "bug", String(error));
        assert.equal(lua.eval("return 1"), 1);
        await lua.close();
      }
      t.diagnostic(`the deepest used ${deepest} of ${STACK_BYTES} bytes`);
    });
  }
});

test("memory never passes its limit, whatever a script does", async () => {
  const raw = await openRaw({ output: () => {} });
  assert.equal(raw.init(), 0);
  const run = (source: string) => {
    const bytes = new TextEncoder().encode(source);
    new Uint8Array(raw.memory.buffer, raw.io_reserve(bytes.length), bytes.length).set(bytes);
    raw.eval(bytes.length);
    return new Uint8Array(raw.memory.buffer, raw.io_ptr(), 1)[0];
  };
  for (const source of [
    "local t = {} while true do t[#t + 1] = {} end",
    "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end",
    "local s = 'x' while true do s = s .. s end",
    "kept = {} while true do kept[#kept + 1] = ('y'):rep(50) .. #kept end",
    "return ('z'):rep(800000)",
    "print(('p'):rep(500000))",
    "ext.table('big').x = ('q'):rep(400000) return ext.table('big').x",
  ]) {
    const status = run(source);
    assert.ok(status === 0 || status === 3, `${source}: status ${status}`);
    assert.ok(raw.memory.buffer.byteLength <= 2 * 1024 * 1024, source);
  }
  // Full of what a script keeps, it still takes calls, and then the one that clears it.
  assert.equal(run("return 1"), 0);
  assert.equal(run("kept = nil collectgarbage() return #('x'):rep(100000)"), 0);
  await raw.close();
});
