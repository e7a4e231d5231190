--- pass
--- true
--- true	1	nil	3	nil
--- 3
--- true	3	1	nil	nil
--- false	e
--- true	false	e
--- false	bad argument #1 to 'pcall' (value expected)
--- true	false	bad argument #1 to 'pcall' (value expected)
--- 2
--- false	attempt to call a nil value
--- false	attempt to call a number value
--- false	attempt to call a table value
--- false	attempt to call a string value
--- bad argument #1 to 'pcall' (value expected)
--- true	called	1	2
--- true
--- false	1:2:deep
--- 1
--- golden:59: attempt to perform arithmetic on a table value
--- golden:60: attempt to concatenate a nil value
--- golden:61: attempt to get length of a nil value
--- golden:62: attempt to perform arithmetic on a table value
--- golden:63: attempt to compare table with number
--- golden:64: attempt to index a nil value
--- golden:65: attempt to call a nil value
--- golden:66: attempt to call a string value (constant 'x')
--- golden:67: attempt to index a nil value (local 'a')
--- golden:68: attempt to divide by zero
--- golden:69: bad argument #1 to 'rep' (string expected, got no value)
--- golden:70: resulting string too large
--- golden:71: bad argument #1 to 'floor' (number expected, got table)
--- golden:72: bad argument #1 to 'setmetatable' (table expected, got number)
--- true	true
--- true	10
---
-- Manual 6.1: pcall.
print(pcall(function() end)); print(pcall(function() return 1, nil, 3, nil end)); print(select("#", pcall(function() return nil, nil end)))
print(pcall(function(...) return select("#", ...), ... end, 1, nil, nil))
print(pcall(error, "e")); print(pcall(pcall, error, "e")); print(pcall(pcall)); print(pcall(pcall, pcall))
print(select("#", pcall(error)))
-- calling what is not callable
print(pcall(nil)); print(pcall(5)); print(pcall({})); print(pcall("s")); print((select(2, pcall(pcall))))
print(pcall(setmetatable({}, { __call = function(self, a, b) return "called", a, b end }), 1, 2))
-- errors keep their identity
local e = {}
print(select(2, pcall(error, e)) == e)
-- nested, with rethrow
local function level3() error("deep", 0) end
local function level2() local ok, m = pcall(level3); error("2:" .. m, 0) end
local function level1() local ok, m = pcall(level2); error("1:" .. m, 0) end
print(pcall(level1))
-- state after an error is as it was left
local n = 0
pcall(function() n = n + 1; error() ; n = n + 100 end)
print(n)
-- runtime errors of all sorts
local function m(f) print((select(2, pcall(f)))) end
m(function() return 1 + {} end)
m(function() return nil .. "x" end)
m(function() return #nil end)
m(function() return -{} end)
m(function() return {} < 1 end)
m(function() return (nil)[1] end)
m(function() return (nil)() end)
m(function() return ("x")() end)
m(function() local a; a.b.c = 1 end)
m(function() return 1 // 0 end)
m(function() string.rep() end)
m(function() return ("x"):rep(1e10) end)
m(function() return math.floor({}) end)
m(function() setmetatable(1, 2) end)
-- infinite recursion of pcall itself ends with an error, not a crash
local depth = 0
local function deep() depth = depth + 1; local ok, e = pcall(deep); return ok end
print(deep(), depth > 10)
-- a handler that runs many pcalls leaves nothing behind
for i = 1, 2000 do pcall(error, i) end
print(pcall(string.len, "still fine"))
