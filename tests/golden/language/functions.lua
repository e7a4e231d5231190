--- pass
--- 1	1	nil	nil	nil
--- 1	nil
--- 1	2
--- nil	nil
--- 1	2
--- 1	5
--- 3	1	4	2	table	string
--- s	true	b	true	2
--- 6	42	3
--- 5	6	3	3	7
--- deep	1
--- 2
--- true	true	false
--- 3628800	2432902008176640000
--- 450015000
--- early
--- golden:72: attempt to call a nil value (local 'x')
--- golden:73: attempt to call a nil value (global 'undefinedfn')
--- golden:74: attempt to call a nil value (field 'missing')
--- golden:75: attempt to call a nil value (method 'missing')
--- golden:76: attempt to index a function value (field 'f')
--- golden:77: attempt to call a number value
--- golden:78: attempt to call a string value (constant 'x')
--- golden:79: attempt to index a function value (field 'h')
--- golden:80: attempt to call a nil value (method 'nomethod')
--- golden:81: attempt to call a table value
--- golden:49: attempt to perform arithmetic on a table value
--- f 1 2 3
--- 250
---
-- Manual 3.4.10, 3.4.11: calls and definitions.
local function id(...) return ... end
print(id(1, 2, 3), (id(1, 2)), id(), id(nil, nil))
-- missing arguments are nil, spare ones are dropped
local function two(a, b) return a, b end
print(two(1)); print(two(1, 2, 3)); print(two()); print(two(id(1, 2, 3))); print(two(id(1, 2), 5))
-- calls without parentheses
local function len(x) return #x end
print(len "abc", len 'd', len [[long]], len { 1, 2 }, type {}, type "")
local t = { f = function(x) return x end, g = { h = function(self, x) return self ~= nil, x end } }
print(t.f "s", t.g:h "m", t["f"]("b"), t.g.h(1, 2))
-- curried and chained calls
local function add(a) return function(b) return function(c) return a + b + c end end end
print(add(1)(2)(3), (function(x) return x * 2 end)(21), ("x"):rep(3):upper():lower():len())
-- methods: self, and o:name evaluates o once
local n = 0
local obj = { v = 5 }
function obj:get(k) return self.v + (k or 0) end
function obj.static(k) return k end
local function o() n = n + 1; return obj end
print(o():get(), o():get(1), o().static(3), n, obj.get(obj, 2))
-- a.b.c:m definitions
local a = { b = { c = { v = "deep" } } }
function a.b.c:m(x) return self.v, x end
function a.b.f(x) return x end
print(a.b.c:m(1)); print(a.b.f(2))
-- recursion through a local function, mutual recursion through upvalues
local even, odd
function even(n) if n == 0 then return true end return odd(n - 1) end
function odd(n) if n == 0 then return false end return even(n - 1) end
print(even(1000), odd(7), even(7))
local function fact(n) return n <= 1 and 1 or n * fact(n - 1) end
print(fact(10), fact(20))
-- proper tail calls use no stack
local function loop(n, acc) if n == 0 then return acc end return loop(n - 1, acc + n) end
print(loop(30000, 0))
-- return must be last in its block, and may have a semicolon
local function early(x) do return "early"; end return "late" end
print(early())
local function err(f, ...) print((select(2, pcall(f, ...)))) end
err(function() local x; x() end)
err(function() undefinedfn() end)
err(function() t.missing() end)
err(function() t:missing() end)
err(function() t.f.x() end)
err(function() (1)() end)
err(function() ("x")() end)
err(function() t.g.h.i.j() end)
err(function() local s = "x"; s:nomethod() end)
err(function() local x = ({})() end)
err(function() obj:get({}) end)
-- argument order, and the callee first
local log = {}
local function e(x) log[#log + 1] = x; return x end
local function callee() e "f"; return function() end end
callee()(e(1), e(2), e(3))
print(table.concat(log, " "))
-- up to 250 arguments go through
print(select("#", id(table.unpack({}, 1, 250))))
