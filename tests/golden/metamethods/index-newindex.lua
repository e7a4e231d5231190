--- pass
--- 1	idx:x	idx:1	idx:true	idx:nil	true	idx:2.5	nil
--- 1	1
--- A	B	C	Bx	nil	nil
--- late
--- false	true
--- nil	nil	nil	absent=2 1=3 absent=4 present=5
--- nil	1
--- nil	42
--- newindex	nil	1
--- newindex	nan	2
--- golden:54: table index is nil
--- 3	2	1	0
--- 12586269025	48	12586269025	48
--- v	false	golden:58: cannot set k
--- golden:60: '__index' chain too long; possible loop
--- golden:60: '__newindex' chain too long; possible loop
--- true	true	nil
--- golden:63: attempt to index a number value
--- golden:63: attempt to index a nil value
--- golden:63: attempt to index a boolean value
--- golden:63: attempt to index a function value (global 'print')
--- golden:63: attempt to index a nil value (field 'b')
--- golden:64: attempt to index a number value
--- true
--- golden:64: attempt to index a number value
--- in index
--- me	nil
--- true	r1 r2 w3 w1	3
--- 5
---
-- Manual 2.4: __index and __newindex, functions and tables, chains.
local function err(f) print((select(2, pcall(f)))) end
local t = setmetatable({ own = 1 }, { __index = function(t, k) return "idx:" .. tostring(k) end })
print(t.own, t.x, t[1], t[true], t[nil], t[0 / 0] ~= nil, t[2.5], rawget(t, "x"))
print((select("#", (function() return t.many end)())), setmetatable({}, { __index = function() return 1, 2 end }).x)
-- table as __index, chains of three
local A = { a = "A", x = "Ax" }
local B = setmetatable({ b = "B", x = "Bx" }, { __index = A })
local C = setmetatable({ c = "C" }, { __index = B })
print(C.a, C.b, C.c, C.x, C.none, rawget(C, "a")); A.late = "late"; print(C.late)
-- false is a value, nil is absence
print(setmetatable({ f = false }, { __index = { f = true } }).f, setmetatable({ f = nil }, { __index = { f = true } }).f)
-- __newindex: only for absent keys; function and table
local log = {}
local n = setmetatable({ present = 0 }, { __newindex = function(t, k, v) log[#log + 1] = tostring(k) .. "=" .. tostring(v) end })
n.present = 1; n.absent = 2; n[1] = 3; n.absent = 4; n.present = nil; n.present = 5
print(n.present, n.absent, n[1], table.concat(log, " "))
local target = {}
local r = setmetatable({}, { __newindex = target }); r.x = 1; print(rawget(r, "x"), target.x)
local chain = setmetatable({}, { __newindex = setmetatable({}, { __newindex = function(t, k, v) rawset(target, k, v * 2) end }) }); chain.y = 21; print(rawget(chain, "y"), target.y)
-- nil and NaN as keys reach a __newindex function
local odd = setmetatable({}, { __newindex = function(_, k, v) print("newindex", k == nil and "nil" or k ~= k and "nan" or k, v) end }); odd[nil] = 1; odd[0 / 0] = 2
err(function() setmetatable({}, { __newindex = {} })[nil] = 1 end)
-- defaults, counting, memoizing, read-only
local count = setmetatable({}, { __index = function() return 0 end }); for w in ("a b a c a b"):gmatch "%a" do count[w] = count[w] + 1 end print(count.a, count.b, count.c, count.d)
local calls = 0; local fib; fib = setmetatable({ 1, 1 }, { __index = function(t, k) calls = calls + 1; local v = t[k - 1] + t[k - 2]; t[k] = v; return v end }); print(fib[50], calls, fib[50], calls)
local ro = setmetatable({}, { __index = { k = "v" }, __newindex = function(_, k) error("cannot set " .. k, 2) end }); print(ro.k, pcall(function() ro.k = 1 end))
-- loops in the chain are an error
local loop = {}; setmetatable(loop, { __index = loop, __newindex = loop }); err(function() return loop.x end); err(function() loop.x = 1 end)
-- __index of values that are no tables: the string metatable; others fail
print(("abc").len == string.len, ("abc").upper == string.upper, ("x").nothing)
err(function() return (5).x end); err(function() return (nil).x end); err(function() return (true)[1] end); err(function() return (print).x end); err(function() local a = {}; return a.b.c end)
err(function() return setmetatable({}, { __index = 5 }).x end); err(function() return setmetatable({}, { __index = "str" }).len == string.len or 1 end); err(function() setmetatable({}, { __newindex = 5 }).x = 1 end); err(function() return setmetatable({}, { __index = function() error("in index", 0) end }).x end)
-- methods through __index, and self
local Obj = { __index = { who = function(self) return self.name end } }; print(setmetatable({ name = "me" }, Obj):who(), setmetatable({}, Obj):who())
-- a proxy that records every access
local function track(real) local l = {}; return setmetatable({}, { __index = function(_, k) l[#l + 1] = "r" .. k; return real[k] end, __newindex = function(_, k, v) l[#l + 1] = "w" .. k; real[k] = v end, __len = function() return #real end, __pairs = function() return next, real, nil end }), l end
local px, pl = track { 1, 2 }; px[3] = px[1] + px[2]; px[1] = nil; print(#px > 0, table.concat(pl, " "), px[3])
local s = 0; for _, v in pairs(px) do s = s + v end print(s)
