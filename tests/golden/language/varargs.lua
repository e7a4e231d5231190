--- pass
--- 0	1	2	3	1	1
--- 1	nil	nil
--- 1	nil	0
--- 1	2	0
--- 1	2	3	3	nil	5
--- 1	2	1	d	2	4
--- nil	nil	nil	d	2	1
--- 1	x	1	2
--- 6	5!	false	-5
--- 3	nil	2	nil
--- 0
--- changed	2
--- 0
--- 2	7	nil
--- v:1: cannot use '...' outside a vararg function near '...'
--- v:1: cannot use '...' outside a vararg function near '...'
--- v:1: ')' expected near ','
--- true	2	nil	nil
--- nil	1	nil
--- 0	1	10
--- 1	nil	true
--- 3	2	1
--- 200	200	200
---
-- Manual 3.4.11: vararg functions.
local function count(...) return select("#", ...) end
print(count(), count(nil), count(nil, nil), count(1, 2, 3), count((nil)), count(count()))
local function first(...) return (...) end
print(first(1, 2), first(), (first(nil, 2)))
local function mixed(a, b, ...) return a, b, select("#", ...), ... end
print(mixed(1)); print(mixed(1, 2)); print(mixed(1, 2, 3, nil, 5))
-- ... adjusts like a call
local function adj(...)
  local a, b = ...
  local c, d = ..., "d"
  local t = { ..., "last" }
  local u = { "first", ... }
  return a, b, c, d, #t, #u
end
print(adj(1, 2, 3))
print(adj())
print((function(...) return ..., "x" end)(1, 2), (function(...) return "x", ... end)(1, 2))
-- in expressions one value
print((function(...) return ... + 1, ... .. "!", not ..., -... end)(5, 6))
-- table.pack and unpack keep nils
local function keep(...) local p = table.pack(...); return p.n, table.unpack(p, 1, p.n) end
print(keep(nil, 2, nil)); print(keep())
-- assigning to parameters does not change ...
print((function(a, ...) a = "changed"; return a, ... end)(1, 2))
-- main chunk is a vararg function (here without arguments), loaded chunks too
print(select("#", ...), ...)
print(load("return select('#', ...), ...")(7, nil))
-- not visible in inner functions
print((select(2, load("return function(...) return function() return ... end end", "=v"))))
print((select(2, load("function f() return ... end", "=v"))))
print((select(2, load("function f(..., a) end", "=v"))))
-- passing through coroutines and pcall
print(pcall(function(...) return select("#", ...), ... end, nil, nil))
print(coroutine.wrap(function(...) return count(...), coroutine.yield(...) end)(nil, 1, nil))
-- recursion over ...
local function sum(...) if select("#", ...) == 0 then return 0 end return (...) + sum(select(2, ...)) end
print(sum(), sum(1), sum(1, 2, 3, 4))
local function map(f, ...)
  local t = table.pack(...)
  for i = 1, t.n do t[i] = f(t[i]) end
  return table.unpack(t, 1, t.n)
end
print(map(tostring, 1, nil, true))
local function reverse(a, ...) if select("#", ...) == 0 then return a end local r = table.pack(reverse(...)); r.n = r.n + 1; r[r.n] = a; return table.unpack(r, 1, r.n) end
print(reverse(1, 2, 3))
-- many
local big = {}
for i = 1, 200 do big[i] = i end
print(count(table.unpack(big)), (select(200, table.unpack(big))), select(-1, table.unpack(big)))
