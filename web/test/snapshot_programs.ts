/** Random programs for snapshot_random.test.ts: a list of chunks each, by seed. */
import { Random } from "./random.ts";

/**
 * Runs first: what all programs work with. The state is in globals, so that every chunk may be the last one
 * of its VM.
 */
export const PRELUDE = String.raw`
  T, F, C, W, KEEP, LOG = {}, {}, {}, {}, {}, {}
  local weak_modes = { "k", "v", "kv" }
  for i = 1, 4 do T[i] = { id = i } end
  for i = 1, 3 do W[i] = setmetatable({}, { __mode = weak_modes[i] }) end

  -- Two functions and, in a coroutine that is still in it, a third share a variable.
  function counter(start)
    local n, step = start, 1
    local co = coroutine.wrap(function()
      local own = n
      while true do
        own = own + n
        n = n + step
        coroutine.yield(own)
      end
    end)
    F[#F + 1] = { add = function(by) n = n + (by or step) return n end, get = function() return n end,
      set_step = function(s) step = s end, inside = co }
  end

  function closer(name) return setmetatable({ name = name }, { __close = function(self, e)
    LOG[#LOG + 1] = "close " .. self.name .. (e == nil and "" or " " .. tostring(e)) end }) end

  function finalized(name) return setmetatable({ name = name }, { __gc = function(self)
    LOG[#LOG + 1] = "gc " .. self.name end }) end

  kinds = {
    function(a) -- in a pcall, in a loop
      local total = a
      for i = 1, 50 do
        local ok, got = pcall(function() local x = coroutine.yield(total, i) if x == 13 then error({ code = i }) end return x or 1 end)
        total = total + (ok and got or -got.code)
      end
      return "done", total
    end,
    function(a) -- in an iterator of a generic for, with a variable to close
      local log <close> = closer("c" .. a)
      local function each(limit) return coroutine.wrap(function() for i = 1, limit do coroutine.yield(i) end end) end
      for i in each(30) do
        local inner <close> = closer("i" .. i)
        if coroutine.yield(i * a) == 7 then error("seven at " .. i) end
      end
      return "end of " .. a
    end,
    function(...) -- varargs, goto
      local n = select("#", ...)
      local i = 0
      ::again::
      i = i + 1
      if i > 40 then return "goto", i, ... end
      local got = coroutine.yield(i, select(-1, ...), n)
      if got == 5 then goto again end
      n = n + #table.pack(...)
      goto again
    end,
    function(a) -- in metamethods, and a coroutine within a coroutine
      local mt = { __index = function(_, k) return coroutine.yield(k) or k end, __add = function(x, y) return coroutine.yield("add") or 3 end,
        __concat = function() return coroutine.yield("concat") or "cc" end, __lt = function() return coroutine.yield("lt") end,
        __call = function(self, v) return coroutine.yield("call", v) or v end }
      local o = setmetatable({}, mt)
      local sum = 0
      for i = 1, 20 do
        local inner = coroutine.wrap(function() return o["k" .. i], (o + 1), (o .. "x"), o < o, o(i) end)
        local v
        repeat v = inner(coroutine.yield(sum)) sum = sum + 1 until v == "k" .. i or sum > 100
      end
      return sum
    end,
    function(a) -- over an external table, half way
      local t = ext.table("e" .. a % 3)
      local n = 0
      for k, v in pairs(t) do n = n + 1 coroutine.yield(k, v, n) end
      return "all", n
    end,
    function(a) -- over a table, half way; xpcall with a handler
      local t = {}
      for i = 1, 12 do t["key" .. i * a] = i t[i] = i * a end
      local _, r = xpcall(function()
        local keys = {}
        for k, v in next, t do keys[#keys + 1] = tostring(k) coroutine.yield(k, v) t[k] = nil end
        error(table.concat(keys, " "))
      end, function(m) return "handled " .. m end)
      return r
    end,
  }

  function spawn(kind, a) C[#C + 1] = { co = coroutine.create(kinds[kind]), a = a, b = kind } end

  function step(i, v)
    local c = C[(i - 1) % #C + 1]
    if coroutine.status(c.co) == "dead" then return "dead" end
    local ok, a, b, d
    if c.begun then ok, a, b, d = coroutine.resume(c.co, v) else c.begun = true ok, a, b, d = coroutine.resume(c.co, c.a, "x", nil, c.a) end
    if not ok then coroutine.close(c.co) end
    return ok, type(a) == "table" and "table" or a, b, d, coroutine.status(c.co)
  end

  -- What there is, as a list of strings: what is shared has its number.
  function digest()
    local seen, count, out = {}, 0, {}
    local function put(s) out[#out + 1] = s end
    local visit
    local function show(v)
      local t = math.type(v)
      if t == "integer" then return "i" .. v elseif t == "float" then return string.format("f%a", v)
      elseif type(v) == "string" then return #v > 60 and string.format("s%d:%q", #v, v:sub(1, 20)) or string.format("%q", v)
      elseif type(v) == "table" or type(v) == "thread" or type(v) == "function" or type(v) == "userdata" then return visit(v) end
      return tostring(v)
    end
    function visit(v)
      if seen[v] then return "#" .. seen[v] end
      count = count + 1
      seen[v] = count
      local me = type(v) .. count
      if v == package.loaded or v == string or v == _ENV then return me end
      if type(v) == "thread" then put(me .. " " .. coroutine.status(v))
      elseif type(v) == "table" and not (getmetatable(v) == false) then
        local lines = {}
        -- Keys that are objects stand where their addresses say; the others in an order of their own.
        local objects = 0
        for k, x in next, v do
          if type(k) == "table" or type(k) == "function" or type(k) == "thread" then objects = objects + 1
          elseif k ~= "kinds" then lines[#lines + 1] = show(k) .. "=" .. show(x) end
        end
        local meta = getmetatable(v)
        put(me .. "{" .. table.concat(lines, ",") .. ";" .. objects .. ";" .. #v .. (type(meta) == "table" and visit(meta) or "") .. "}")
      end
      return me
    end
    for _, root in ipairs { T, F, C, KEEP, LOG, _G } do visit(root) end
    for _, w in ipairs(W) do local n = 0 for _ in next, w do n = n + 1 end put("weak " .. n) end
    for _, name in ipairs(ext.tables and ext.tables() or {}) do
      local e = {}
      for k, v in pairs(ext.table(name)) do e[#e + 1] = show(k) .. "=" .. (type(v) == "table" and "t" or show(v)) end
      put(name .. ":" .. table.concat(e, ","))
    end
    return table.concat(out, "\n")
  end`;

type Step = (random: Random) => string;

const NUMBERS = [
  "0",
  "-0.0",
  "1",
  "-1",
  "0.5",
  "1e308",
  "5e-324",
  "math.maxinteger",
  "math.mininteger",
  "2^53",
  "1/0",
  "-1/0",
  "1 << 53",
  "3.0",
  "0x7fffffff",
];

const STRINGS = [
  '""',
  '"a"',
  '"key"',
  '"\\0\\xff\\xfe"',
  '("long"):rep(11)',
  '("x"):rep(40)',
  '("x"):rep(41)',
  '("y"):rep(5000)',
  '"\\u{1f600}"',
  'string.format("%5.2f|%q|%x", 1.5, "q\\n", 255)',
];

const t = (random: Random) => `T[${1 + random.below(4)}]`;
const value = (random: Random): string =>
  random.pick([
    () => random.pick(NUMBERS),
    () => random.pick(STRINGS),
    () => random.pick(["true", "false"]),
    () => t(random),
    () => `{ ${random.pick(NUMBERS)}, ${random.pick(STRINGS)}, ${t(random)} }`,
    () => `setmetatable({ v = ${random.below(9)} }, { __index = ${t(random)}, __name = "made" })`,
  ])();
const key = (random: Random): string =>
  random.pick([
    () => String(random.below(20)),
    () => `"k${random.below(20)}"`,
    () => random.pick(["2^53", "1.5", "-1", "true", "3.0", "math.mininteger"]),
    () => random.pick(STRINGS),
    () => t(random),
    () => "print",
  ])();

/** Chunks of the random programs. */
const STEPS: readonly Step[] = [
  (r) => `${t(r)}[${key(r)}] = ${value(r)}`,
  (r) => `local t = ${t(r)} t[${key(r)}] = ${value(r)} t[${key(r)}] = nil t[#t + 1] = ${value(r)}`,
  (r) => `T[${1 + r.below(4)}] = { id = #KEEP, ${t(r)}, [${key(r)}] = ${value(r)} }`,
  (r) => `return #${t(r)}, rawlen(${t(r)}), next(${t(r)}) ~= nil, ${t(r)} == ${t(r)}, ${t(r)}[${t(r)}] ~= nil`,
  (r) => `counter(${r.below(100)})`,
  (r) =>
    `local f = F[${1 + r.below(3)}] if not f then return "none" end f.set_step(${r.below(9)}) return f.add(), f.inside(), f.get(), f.add(${r.below(5)})`,
  (r) =>
    `local f = F[${1 + r.below(3)}] if not f then return "none" end return f.inside(), f.add(), f.inside(), f.get()`,
  (r) => `spawn(${1 + r.below(6)}, ${1 + r.below(9)})`,
  (r) => `spawn(${1 + r.below(6)}, ${1 + r.below(9)}) return step(#C, 1)`,
  (r) =>
    `if #C == 0 then return "none" end return step(${1 + r.below(6)}, ${r.pick(["1", "5", "7", "13", "nil", "2"])})`,
  (r) =>
    `if #C == 0 then return "none" end for i = 1, ${1 + r.below(8)} do step(i, ${r.below(8)}) end return step(${1 + r.below(6)})`,
  (r) =>
    `local c = C[${1 + r.below(3)}] if not c then return "none" end return coroutine.close(c.co), coroutine.status(c.co), #LOG`,
  (r) =>
    `W[${1 + r.below(3)}][{}] = ${value(r)} W[${1 + r.below(3)}][#KEEP + 1] = {} local k = {} KEEP[#KEEP + 1] = k W[${1 + r.below(3)}][k] = ${r.below(9)}`,
  (r) => `local k, v = {}, {} W[${1 + r.below(3)}][k] = v KEEP[#KEEP + 1] = ${r.pick(["k", "v", "{ k, v }"])}`,
  () =>
    `collectgarbage() collectgarbage() local n = {} for i, w in ipairs(W) do n[i] = 0 for _ in next, w do n[i] = n[i] + 1 end end return n[1], n[2], n[3], sorted_log()`,
  (r) => `KEEP[#KEEP + 1] = finalized("f" .. #KEEP .. "_${r.below(100)}")`,
  (r) => `finalized("lost${r.below(100)}") KEEP[${1 + r.below(5)}] = false`,
  () => "return math.random(), math.random(0), math.random(1000), math.random(-5, 5)",
  (r) => `math.randomseed(${r.below(9)}, ${r.below(9)}) return math.random(1 << 40)`,
  () => "math.randomseed() return math.random(1 << 50)",
  (r) => `print("line", ${r.pick(STRINGS)}, ${r.pick(NUMBERS)}) io.write("part", ${r.below(100)}) return #LOG`,
  (r) =>
    `local s = (${r.pick(STRINGS)} .. ${r.pick(STRINGS)}):gsub("[%w]", function(c) return c:byte() % 3 == 0 and c:upper() or nil end) KEEP[#KEEP + 1] = s return s:sub(1, 30), #s`,
  (r) =>
    `local e = ext.table("e${r.below(3)}") e[${r.pick(["1", '"a"', "2.5", "true", '"k" .. #KEEP', "#KEEP + 10"])}] = ${r.pick(["1", '"v"', "{ 1, { 2 } }", "false", "1e300"])}`,
  (r) =>
    `local e = ext.table("e${r.below(3)}") for i = 1, ${r.below(30)} do e[i] = i * i end local n = 0 for k in pairs(e) do n = n + 1 if n == 3 then e[k] = nil end end return n`,
  (r) =>
    `iterator = iterator or { pairs(ext.table("e${r.below(3)}")) } local k, v = iterator[1](iterator[2], iterator[3]) iterator[3] = k if k == nil then iterator = nil end return k, type(v)`,
  (r) =>
    `cursor_of = ${t(r)} local k if cursor ~= nil and cursor_of[cursor] ~= nil then k = next(cursor_of, cursor) else k = next(cursor_of) end cursor = type(k) ~= "table" and k or nil return type(k), type(k) == "string" and k or nil`,
  (r) =>
    `local f = assert(load("local a = ... n_loaded = (n_loaded or 0) + a return function() n_loaded = n_loaded + 1 return n_loaded end", "=made")) made = f(${r.below(9)}) return made()`,
  () => 'if not made then return "none" end return made(), made()',
  (r) =>
    `local ok, e = pcall(error, ${r.pick(['"text"', "{ 1 }", "nil", "42"])}) return ok, type(e), type(e) == "string" and e`,
  (r) => `local x <close> = closer("s${r.below(9)}") local y <const> = ${r.below(9)} return y`,
  (r) => `local x <close> = closer("e${r.below(9)}") error("thrown ${r.below(9)}")`,
  () => "local function deep(n) return n == 0 and 0 or 1 + deep(n - 1) end return deep(150)",
  (r) =>
    `local list = {} for i = 1, ${10 + r.below(200)} do list[i] = (i * 7919) % 1009 end table.sort(list, function(a, b) return a > b end) KEEP[#KEEP + 1] = list return list[1], #list, select("#", table.unpack(list))`,
  (r) =>
    `string.${r.pick(["shout", "len2"])} = function(s) return s:upper() .. #s end return ("abc"):${r.pick(["shout", "len2"])}()`,
  (r) => `_G["g${r.below(5)}"] = ${value(r)} g0 = g1 return type(g0), type(g2)`,
  () => "KEEP = { KEEP, [KEEP] = #KEEP } return #KEEP",
  (r) =>
    `local t = setmetatable({}, { __eq = function() return true end, __len = function() return ${r.below(9)} end, __tostring = function() return "shown" end }) KEEP[#KEEP + 1] = t return #t, tostring(t), t == setmetatable({}, getmetatable(t))`,
  () => 'return package.loaded.string == string, require("async") == async, package.loaded.half',
  (r) => `package.loaded.half = ${r.below(9)} return require("half")`,
  (r) =>
    `return string.pack("<i4 z s1 d", ${r.below(99)}, "z", "s", 1.5), utf8.char(${r.below(1000) + 1}, 0x10ffff), require("json").encode({ 1, ${r.below(9)} })`,
  () =>
    'local n = 0 for w in ("one two three"):gmatch("%a+") do n = n + #w end for i = 10, 1, -3 do n = n + i end for x = 0.0, 1, 0.25 do n = n + x end return n',
  (r) => `collectgarbage("step", ${r.below(4)})`,
  () => 'return collectgarbage("isrunning")',
  (r) =>
    `debug_mt = debug_mt or setmetatable({}, { __index = function(t, k) rawset(t, k, #KEEP) return k end }) return debug_mt.a${r.below(3)}, debug_mt.a${r.below(3)}`,
  () =>
    "wrapped = wrapped or coroutine.wrap(function(...) local n = select('#', ...) while true do n = n + select('#', coroutine.yield(n)) end end) return wrapped(1, nil, nil)",
  (r) => `big = ("z"):rep(${1 + r.below(100_000)}) return #big`,
  () => "big = nil return warn('@off')",
];

/** Settings of the collector for a program. */
const COLLECTORS = [
  'collectgarbage("stop")',
  'collectgarbage("incremental", 100, 400)',
  'collectgarbage("generational", 5, 50)',
  'collectgarbage("incremental", 50, 1000, 1)',
];

/** A chunk, and whether it is run with variables of its own. */
export interface Chunk {
  readonly code: string;
  readonly env: boolean;
}

/** The program of this seed. */
export function program(seed: number): Chunk[] {
  const random = new Random(seed);
  const stopped = seed % 4 === 0;
  const sorted = `function sorted_log() local l = table.move(LOG, 1, #LOG, 1, {}) ${stopped ? "" : "table.sort(l)"} return table.concat(l, ";") end`;
  const chunks: Chunk[] = [
    { code: PRELUDE, env: false },
    { code: `${sorted} ${COLLECTORS[seed % 4]}`, env: false },
  ];
  const count = 8 + random.below(16);
  for (let i = 0; i < count; i++) chunks.push({ code: random.pick(STEPS)(random), env: random.below(12) === 0 });
  return chunks;
}
