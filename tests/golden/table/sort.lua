--- pass
--- 0	
--- 1	1
--- 2	1 2
--- 3	1 2 3
--- 6	1 2 3 5 8 9
--- 3	C a b
--- 3	1 1 1
--- 4	-0.5 1 2 2.5
--- 3	3 2 1
--- 3	ccc bb a
--- 5	-inf -9223372036854775808 0 9223372036854775807 inf
--- 0
--- Ann30 Cid30 Bob25 Dan25 Eve1
--- bad argument #1 to 'table.sort' (table expected, got no value)
--- bad argument #1 to 'table.sort' (table expected, got number)
--- nil
--- bad argument #2 to 'table.sort' (function expected, got number)
--- bad argument #2 to 'table.sort' (function expected, got string)
--- attempt to compare string with number
--- attempt to compare two table values
--- bad argument #2 to 'table.sort' (function expected, got boolean)
--- cmp
--- attempt to compare two boolean values
--- bad argument #2 to 'table.sort' (function expected, got table)
--- false	invalid order function for sorting
--- boolean	100
--- 1	2	3
--- 1 2 4 9	0
--- bad argument #1 to 'table.sort' (array too big)
--- false	attempt to yield across a C-call boundary
---
-- Manual 6.6: table.sort.
local function err(f, ...) print((select(2, pcall(f, ...)))) end
local function s(t, f) table.sort(t, f); print(#t, table.concat(t, " ")) end
s {}; s { 1 }; s { 2, 1 }; s { 3, 1, 2 }; s { 5, 2, 8, 1, 9, 3 }; s { "b", "a", "C" }; s { 1, 1, 1 }; s { 2.5, 1, -0.5, 2 }; s({ 1, 2, 3 }, function(a, b) return a > b end); s({ "bb", "a", "ccc" }, function(a, b) return #a > #b end); s { math.huge, -math.huge, 0, math.mininteger, math.maxinteger }
print(select("#", table.sort({})))
local function check(t, f)
  f = f or function(a, b) return a < b end
  for i = 2, #t do if f(t[i], t[i - 1]) then return "unsorted at " .. i end end
  return "sorted"
end
-- many shapes, with a generator of our own so that each run is the same
local seed = 42
local function rnd(n) seed = (seed * 1103515245 + 12345) & 0x7fffffff; return seed % n + 1 end
for _, n in ipairs { 2, 3, 4, 5, 10, 50, 99, 100, 101, 500, 1000 } do
  local a, b, c, d, sum = {}, {}, {}, {}, 0
  for i = 1, n do a[i] = rnd(1000); b[i] = i; c[i] = n - i; d[i] = i % 3; sum = sum + a[i] end
  for _, t in ipairs { a, b, c, d } do table.sort(t); if check(t) ~= "sorted" then print(n, check(t)) end end
  local sum2 = 0
  for _, v in ipairs(a) do sum2 = sum2 + v end
  if sum ~= sum2 then print("lost elements", n) end
  local desc = function(x, y) return x > y end
  table.sort(a, desc); if check(a, desc) ~= "sorted" then print(n, "desc") end
end
-- by several keys
local people = { { "Ann", 30 }, { "Bob", 25 }, { "Cid", 30 }, { "Dan", 25 }, { "Eve", 1 } }
table.sort(people, function(a, b) if a[2] ~= b[2] then return a[2] > b[2] end return a[1] < b[1] end)
for i, p in ipairs(people) do people[i] = p[1] .. p[2] end
print(table.concat(people, " "))
-- errors
err(table.sort); err(table.sort, 5); err(table.sort, {}, 5); err(table.sort, { 1, 2 }, 5); err(table.sort, { 1, 2 }, "x"); err(table.sort, { 1, "x" }); err(table.sort, { {}, {} }); err(table.sort, { 2, 1, nil, 3, n = 1 }, nil == 1); err(table.sort, { 3, 2, 1 }, function() error("cmp", 0) end); err(table.sort, { true, false }); err(table.sort, { 1, 2, 3 }, {})
-- an order function that contradicts itself is an error or some order, never a crash
local bad = {}
for i = 1, 100 do bad[i] = i end
local ok, m = pcall(table.sort, bad, function() return true end)
print(ok, m)
print(type(pcall(table.sort, bad, function(a, b) return a <= b end)), #bad)
-- metamethods: __lt of the elements, __index/__newindex/__len of the table
local function box(v) return setmetatable({ v = v }, { __lt = function(a, b) return a.v < b.v end }) end
local boxes = { box(3), box(1), box(2) }
table.sort(boxes); print(boxes[1].v, boxes[2].v, boxes[3].v)
local mt = { __lt = function(a, b) return a.v < b.v end }
local store = { 4, 2, 9, 1 }
local p = setmetatable({}, { __len = function() return #store end, __index = function(_, k) return store[k] end, __newindex = function(_, k, v) store[k] = v end })
table.sort(p); print(table.concat(store, " "), rawlen(p))
err(table.sort, setmetatable({}, { __len = function() return math.maxinteger end }))
-- yields are refused inside
print(coroutine.wrap(function() return pcall(table.sort, { 3, 1, 2 }, coroutine.yield) end)())
