--- pass
--- 3	nil	split
--- 1
--- ABC	3	31	15.0	lo
--- ng
--- nil	(load):1: unexpected symbol near '='
--- nil	given:2: unexpected symbol near '='
--- false	(load):1: here
--- 10
--- nil	golden:36: reader function must return a string
--- nil	golden:36: reader function must return a string
--- nil	reader failed
--- 2
--- 7	3
--- 80199
--- 99
--- nil	attempt to yield across a C-call boundary
---
-- Manual 6.1: load with a reader function.
local function reader(...)
  local parts, i = { ... }, 0
  return function() i = i + 1; return parts[i] end
end
print(load(reader("return ", "1", " + 2"))(), load(reader())(), load(reader("re", "turn", " '", "split", "'"))())
-- an empty string ends the chunk as nil does
print(load(reader("return 1", "", " + 1"))())
-- one byte at a time
local src, pos = "local s = 'abc'\nreturn s:upper(), #s, 0x1F, 1.5e1, [==[lo\nng]==]", 0
print(load(function() pos = pos + 1; if pos <= #src then return src:sub(pos, pos) end end)())
-- default name, and a given one
print(load(reader("x = = 1"))); print(load(reader("x =", "\n", "= 1"), "=given"))
print(pcall(load(reader("error('here')"))))
-- environments
print(load(reader("a = 1; ", "return a"), "=r", "t", setmetatable({}, { __newindex = function(t, k, v) rawset(t, k, v * 10) end }))())
-- the reader must give strings
print(load(function() return {} end)); print(load(function() return true end))
-- errors of the reader come out as load's error
print(load(function() error("reader failed", 0) end))
print(select("#", load(function() error() end)))
-- how often the reader is called: no more after its end
local calls, parts = 0, { "return", " 7" }
local f = load(function() calls = calls + 1; return parts[calls] end)
print(f(), calls)
-- a long chunk
local n = 0
local g = load(function() n = n + 1; if n == 1 then return "local t = 0 " elseif n <= 400 then return "t = t + " .. n .. " " elseif n == 401 then return "return t" end end)
print(g())
-- the reader may load, throw and catch on its own
print(load((function() local done; return function() if not done then done = true; pcall(error); return load("return 'return ' .. 99")() end end end)())())
-- no yield across it
local co = coroutine.wrap(function() return load(function() coroutine.yield() end) end)
print(co())
