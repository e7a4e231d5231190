--- pass
--- 60900
--- dropped
--- bottom
--- false	true
--- bottom
--- 2000
--- 1 10 2 20 3 30 66
--- true	true	nil	true
--- true	1
--- false	x
--- true	2
--- false	one	two	true
--- 200
--- 200	150
--- 111	118
---
-- Manual 2.6: numbers of coroutines, nesting and independence.
local t = {}
for i = 1, 200 do t[i] = coroutine.wrap(function() local n = i; while true do coroutine.yield(n); n = n + 1 end end) end
local sum = 0
for round = 1, 3 do for i = 1, 200 do sum = sum + t[i]() end end
print(sum)
t = nil
-- created and dropped in numbers
for i = 1, 2000 do local co = coroutine.wrap(function(x) coroutine.yield(x) end); co(i) end
print("dropped")
-- one hundred levels of coroutines inside coroutines
local function nest(n) if n == 0 then return "bottom" end return coroutine.wrap(function() return nest(n - 1) end)() end
print(nest(100))
-- too deep a nesting is an error, and everything lives on
local function endless(n) return coroutine.wrap(function() return endless(n + 1) end)() end
local ok, m = pcall(endless, 0)
print(ok, type(m) == "string" and m:find("overflow", 1, true) ~= nil)
print(nest(50))
-- a coroutine recursing deeply of its own
print(coroutine.wrap(function() local function d(n) if n == 0 then return 0 end return 1 + d(n - 1) end return d(2000) end)())
-- each has a stack of its own, and upvalues are shared
local shared = 0
local function worker(k) return coroutine.create(function() for i = 1, 3 do local l = k * i; shared = shared + l; coroutine.yield(l) end end) end
local a, b = worker(1), worker(10)
for i = 1, 3 do io.write(select(2, coroutine.resume(a)), " ", select(2, coroutine.resume(b)), " ") end
print(shared)
-- values passed by resume and yield are not copied
local o = {}
local echo = coroutine.wrap(function(x) while true do x = coroutine.yield(x) end end)
print(echo(o) == o, echo(print) == print, echo(nil), echo(echo) == echo)
-- errors in one do not touch others
local good, badco = coroutine.create(function() coroutine.yield(1); return 2 end), coroutine.create(function() error("x", 0) end)
print(coroutine.resume(good)); print(coroutine.resume(badco)); print(coroutine.resume(good))
-- equality and keys
local c1, c2 = coroutine.create(print), coroutine.create(print)
local keyed = { [c1] = "one", [c2] = "two" }
print(c1 == c2, keyed[c1], keyed[c2], tostring(c1):match("^thread: ") ~= nil)
-- many values in both directions
local big = {}
for i = 1, 200 do big[i] = i end
local co = coroutine.wrap(function(...) local n = select("#", ...); local m = select("#", coroutine.yield(...)); return n, m end)
print(select("#", co(table.unpack(big)))); print(co(table.unpack(big, 1, 150)))
-- collatz lengths by generators running side by side
local function collatz(n) return coroutine.wrap(function() while n ~= 1 do coroutine.yield(n); n = n % 2 == 0 and n // 2 or 3 * n + 1 end end) end
local g1, g2, n1, n2 = collatz(27), collatz(97), 0, 0
while g1() do n1 = n1 + 1 end while g2() do n2 = n2 + 1 end
print(n1, n2)
