--- pass
--- 10 changed 30 
--- 3	3	3
--- 1	2	3
--- 19
--- 19	21
--- 2	4	4
--- 5	10	20	20
--- 2	3	101	4
--- x	3
--- only!	pair
--- only!!	pair
--- 3	1	3	5
--- 100	200	102
--- 1	false
--- 3628800
--- 5.0
--- 16	16	25	2
--- 3 6 9 12 15
--- in coroutine
--- later
--- after
--- 1830
---
-- Manual 3.5: what closures capture, and when.
-- each execution of a local statement makes a new variable
local fs = {}
for i = 1, 3 do local j = i * 10; fs[i] = { get = function() return i, j end, set = function(v) j = v end } end
fs[2].set("changed"); for i = 1, 3 do io.write(tostring(select(2, fs[i].get())), " ") end print()
local i = 0; fs = {}; while i < 3 do i = i + 1; fs[i] = function() return i end end print(fs[1](), fs[2](), fs[3]())
i = 0; fs = {}; while i < 3 do i = i + 1; local k = i; fs[i] = function() return k end end print(fs[1](), fs[2](), fs[3]())
-- shared while on the stack and after it has gone
local function shared() local n = 0; local function inc() n = n + 1; return n end local function dec() n = n - 1; return n end inc(); inc(); n = n * 10; return inc, dec, function() return n end end
local inc, dec, get = shared(); inc(); dec(); dec(); print(get()); local inc2, _, get2 = shared(); inc2(); print(get(), get2())
-- through several levels, with the variable changed at each
local function l1() local v = 1; local function l2() v = v + 1; local function l3() v = v * 2; return v end return l3 end return l2, function() return v end end
local l2, see = l1(); local l3 = l2(); print(see(), l3(), see()); local l3b = l2(); print(see(), l3b(), l3(), see())
-- parameters, varargs copies, and loop variables as upvalues
local function adder(x) return function(y) x = x + y; return x end end local a, b = adder(1), adder(100); print(a(1), a(1), b(1), a(1))
local function hold(...) local args = { ... }; local first = ...; return function() return first, #args end end print(hold("x", "y", "z")())
fs = {}; for k, v in pairs { only = "pair" } do fs[1] = function() k = k .. "!"; return k, v end end print(fs[1]()); print(fs[1]())
-- goto continue and upvalues in repeat
fs = {}; for n = 1, 5 do local keep = n; if n % 2 == 0 then goto continue end fs[#fs + 1] = function() return keep end ::continue:: end print(#fs, fs[1](), fs[2](), fs[3]())
local n = 0; fs = {}; repeat local x = n; n = n + 1; fs[n] = function() x = x + 100; return x end until x >= 2; print(fs[1](), fs[1](), fs[3]())
-- recursion: local function against local variable
local function fact(k) return k <= 1 and 1 or k * fact(k - 1) end local old = fact; fact = function() return "replaced" end; print(old(1), (pcall(old, 3)))
-- Y combinator, composition, memoization, lazy streams
local function Y(f) return (function(x) return x(x) end)(function(x) return f(function(...) return x(x)(...) end) end) end
print(Y(function(self) return function(k) return k == 0 and 1 or k * self(k - 1) end end)(10))
local function compose(...) local fns = { ... }; return function(...) local r = table.pack(...); for j = #fns, 1, -1 do r = table.pack(fns[j](table.unpack(r, 1, r.n))) end return table.unpack(r, 1, r.n) end end
print(compose(tostring, math.sqrt, function(x, y) return x * x + y * y end)(3, 4))
local function memo(f) local c = {}; return function(k) local v = c[k]; if v == nil then v = f(k); c[k] = v end return v end end
local calls = 0; local sq = memo(function(k) calls = calls + 1; return k * k end); print(sq(4), sq(4), sq(5), calls)
local function from(k) return { k, function() return from(k + 1) end } end
local function take(s, k) local r = {}; while k > 0 do r[#r + 1] = s[1]; s = s[2](); k = k - 1 end return table.concat(r, " ") end
local function filter(s, p) while not p(s[1]) do s = s[2]() end return { s[1], function() return filter(s[2](), p) end } end
print(take(filter(from(1), function(k) return k % 3 == 0 end), 5))
-- upvalues kept by coroutines and closed by errors
local co; do local v = "in coroutine"; co = coroutine.wrap(function() coroutine.yield(function() return v end); v = "later"; coroutine.yield() end) end
local getv = co(); print(getv()); co(); print(getv())
local escaped; pcall(function() local w = "before"; escaped = function() return w end; w = "after"; error() end); print(escaped())
-- 60 upvalues in one function; 255 is the limit
local src = {}; for k = 1, 60 do src[k] = ("local u%d = %d"):format(k, k) end
local sum = {}; for k = 1, 60 do sum[k] = "u" .. k end
print(load(table.concat(src, "\n") .. "\nreturn function() return " .. table.concat(sum, "+") .. " end")()())
