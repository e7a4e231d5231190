--- pass
--- nil	1	x	y
--- 40	6
--- 1 2 3
--- 1 1.5 2 a b true
--- 400	nil
--- 100
--- true	true	nil
--- true	nil	nil
--- invalid key to 'next'
--- invalid key to 'next'
--- invalid key to 'next'
--- bad argument #1 to 'next' (table expected, got no value)
--- bad argument #1 to 'next' (table expected, got number)
--- bad argument #1 to 'next' (table expected, got string)
--- bad argument #1 to 'pairs' (value expected)
--- golden:56: bad argument #1 to 'for iterator' (table expected, got number)
--- 1=1 2=4 3=9 
--- 3	3
--- a2 m3 z1 
--- from __pairs
---
-- Manual 6.1: next, pairs, __pairs.
local function err(f, ...) print((select(2, pcall(f, ...)))) end
print(next {}, next({ 5 }), next({ x = "y" }))
local t = { 10, 20, a = 1, b = 2, [1.5] = 3, [true] = 4 }
local sum, n = 0, 0
for k, v in pairs(t) do sum = sum + v; n = n + 1 end
print(sum, n)
-- the array part comes in order here, each key once
local seen = {}
for k in pairs { "a", "b", "c" } do seen[#seen + 1] = k end
print(table.concat(seen, " "))
-- next step by step: every key exactly once
local keys, k = {}, nil
repeat k = next(t, k); if k ~= nil then keys[#keys + 1] = tostring(k) end until k == nil
table.sort(keys)
print(table.concat(keys, " "))
-- clearing fields during the traversal is allowed
local big = {}
for i = 1, 200 do big[i] = i; big["k" .. i] = i end
n = 0
for k in pairs(big) do big[k] = nil; n = n + 1 end
print(n, next(big))
for i = 1, 50 do big["x" .. i] = 1 end
sum = 0
for k, v in pairs(big) do big[k] = v + 1 end
for _, v in pairs(big) do sum = sum + v end
print(sum)
-- pairs gives next, the table and nil
local f, s, c = pairs(t)
print(f == next, s == t, c)
-- next as emptiness test, and after the last key
print(next({}) == nil, next({ [1] = 1 }, 1), next({ 1 }, 1))
err(next, {}, "nokey"); err(next, {}, 1); err(next, { 1, 2 }, 3); err(next); err(next, 5); err(next, "s")
err(pairs); err(function() for k in pairs(5) do end end)
-- __pairs
local p = setmetatable({}, { __pairs = function(o) return function(_, k) k = (k or 0) + 1; if k <= 3 then return k, k * k end end, o, nil end })
for k, v in pairs(p) do io.write(k, "=", v, " ") end
print()
print(select("#", pairs(setmetatable({}, { __pairs = function() return 1, 2, 3, 4, 5 end }))), select("#", pairs(setmetatable({}, { __pairs = function() end }))))
-- a sorted traversal, ordered by __pairs
local sorted = setmetatable({ z = 1, a = 2, m = 3 }, { __pairs = function(o)
  local ks, i = {}, 0
  for k in next, o do ks[#ks + 1] = k end
  table.sort(ks)
  return function() i = i + 1; return ks[i], o[ks[i]] end
end })
for k, v in pairs(sorted) do io.write(k, v, " ") end
print()
err(pairs, setmetatable({}, { __pairs = function() error("from __pairs", 0) end }))
-- __index is not consulted by next and pairs
for k in pairs(setmetatable({}, { __index = { x = 1 } })) do print("never") end
