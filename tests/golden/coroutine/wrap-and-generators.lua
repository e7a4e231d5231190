--- pass
--- 1	1
--- 2	4
--- 3	9
--- done
--- false	cannot resume dead coroutine
--- 1 2 3 4 
--- 6	abc acb bac bca cab cba
--- 1 2 3 5 8 9 
--- 1:1:ONE 2:2:TWO 3:3:THREE 
--- 2 3 5 7 11 13 17 19 23 29 31 37 41 43 47
--- false	golden:56: inside
--- false	cannot resume dead coroutine
--- false	level 0
--- false	table	5
--- false	golden:59: attempt to index a nil value (local 'x')
--- true	1	nil	3
--- C1 B1 A1 C2 B2 A2 B3
--- false	cannot resume non-suspended coroutine
---
-- Manual 6.2: wrap; generators, producers and consumers.
local gen = coroutine.wrap(function(n) for i = 1, n do coroutine.yield(i, i * i) end return "done" end)
print(gen(3)); print(gen()); print(gen()); print(gen()); print(pcall(gen))
local function range(n) return coroutine.wrap(function() for i = 1, n do coroutine.yield(i) end end) end
for i in range(4) do io.write(i, " ") end print()
-- permutations
local function permgen(a, n)
  n = n or #a
  if n <= 1 then coroutine.yield(table.concat(a)) else
    for i = 1, n do a[n], a[i] = a[i], a[n]; permgen(a, n - 1); a[n], a[i] = a[i], a[n] end
  end
end
local perms = {}
for p in coroutine.wrap(function() permgen { "a", "b", "c" } end) do perms[#perms + 1] = p end
table.sort(perms); print(#perms, table.concat(perms, " "))
-- a tree, inorder
local function insert(t, k) if not t then return { key = k } end if k < t.key then t.left = insert(t.left, k) else t.right = insert(t.right, k) end return t end
local function walk(t) if t then walk(t.left); coroutine.yield(t.key); walk(t.right) end end
local tree
for _, k in ipairs { 5, 2, 8, 1, 9, 3 } do tree = insert(tree, k) end
for k in coroutine.wrap(walk), tree do io.write(k, " ") end print()
-- filters in a pipe
local function producer() return coroutine.wrap(function() for _, l in ipairs { "one", "two", "three" } do coroutine.yield(l) end end) end
local function filter(src) return coroutine.wrap(function() local n = 1; for l in src do coroutine.yield(n .. ":" .. l:upper()); n = n + 1 end end) end
for l in filter(filter(producer())) do io.write(l, " ") end print()
-- primes by a chain of coroutines
local function sieve(limit)
  local function count() return coroutine.wrap(function() for i = 2, limit do coroutine.yield(i) end end) end
  local function without(p, g) return coroutine.wrap(function() for n in g do if n % p ~= 0 then coroutine.yield(n) end end end) end
  local x, r = count(), {}
  while true do local n = x(); if n == nil then break end r[#r + 1] = n; x = without(n, x) end
  return r
end
print(table.concat(sieve(50), " "))
-- wrap propagates errors with position; error objects as they are
local w = coroutine.wrap(function() error("inside") end); print(pcall(w)); print(pcall(w))
w = coroutine.wrap(function() error("level 0", 0) end); print(pcall(w))
w = coroutine.wrap(function() error({ code = 5 }) end); local ok, e = pcall(w); print(ok, type(e), e.code)
w = coroutine.wrap(function() local x = nil; return x.y end); print(pcall(w))
print(pcall(coroutine.wrap(function() return 1, nil, 3 end)))
-- a scheduler of round robin
local log, tasks = {}, {}
for _, name in ipairs { "A", "B", "C" } do tasks[#tasks + 1] = coroutine.create(function() for i = 1, #name + (name == "B" and 2 or 1) do log[#log + 1] = name .. i; coroutine.yield() end end) end
while #tasks > 0 do for i = #tasks, 1, -1 do coroutine.resume(tasks[i]); if coroutine.status(tasks[i]) == "dead" then table.remove(tasks, i) end end end
print(table.concat(log, " "))
-- a wrap that resumes itself
local self; self = coroutine.wrap(function() return pcall(self) end); print(self())
