--- pass
--- 2	nil	1	0
--- nil	[string "x = = 1"]:1: unexpected symbol near '='
--- nil	name:1: unexpected symbol near '='
--- nil	dir/file.lua:1: unexpected symbol near '='
--- nil	[string "code"]:3: unexpected symbol near '='
--- nil	e:1: unexpected symbol near <eof>
--- 1	1	1
--- nil	attempt to load a text chunk (mode is 'b')
--- function	function	function
--- false	eq:1: m
--- false	at:1: m
--- false	[string "plain"]:1: m
--- false	[string "error('m')"]:1: m
--- 2	2
--- 5	5	nil
--- true	nil	true
--- false	e:1: attempt to index a nil value (upvalue '_ENV')
--- 42
--- 1	2
--- nil
--- true	true	2	1
--- 1	2	3
--- nil	[string "5"]:1: unexpected symbol near '5'
--- false	bad argument #1 to 'load' (function expected, got no value)
--- false	bad argument #1 to 'load' (function expected, got table)
--- false	bad argument #1 to 'load' (function expected, got nil)
--- false	bad argument #1 to 'load' (function expected, got boolean)
--- false	bad argument #2 to 'load' (string expected, got table)
--- 42
--- lim:201: too many local variables (limit is 200) in main function near <eof>
--- nil	true
--- 226
---
-- Manual 6.1: load of strings.
print(load("return 1 + 1")(), load("")(), load("return ...")(1, 2), select("#", load("return")()))
print(load("x = = 1")); print(load("x = = 1", "=name")); print(load("x = = 1", "@dir/file.lua")); print(load("\n\nx = = 1", "code")); print(load("x =", "=e"))
print(load("return 1", "=n", "t")(), load("return 1", "=n", "bt")(), load("return 1", nil, nil)())
print(load("return 1", "=n", "b")); print(type(load("")), type(load(" ")), type(load("-- only a comment")))
-- chunk names
print(pcall(load("error('m')", "=eq"))); print(pcall(load("error('m')", "@at"))); print(pcall(load("error('m')", "plain"))); print(pcall(load("error('m')")))
-- globals and environments
g_load = 1
print(load("g_load = g_load + 1; return g_load")(), g_load)
local env = { y = 5 }
print(load("x = y; return x", "=e", "t", env)(), env.x, x)
print(load("return _ENV", "=e", "t", env)() == env, load("return _ENV", "=e", "t", nil)(), load("return _ENV")() == _G)
print(pcall(load("return z", "=e", "t", nil)))
print(load("return _ENV", "=e", "t", 42)())
print(load("local a <const> = 1; return function() return a, b end", "=e", "t", { b = 2 })()())
-- locals of the caller are out of reach
local hidden = "hidden"
print(load("return hidden")())
-- each load gives a new function; chunks are vararg
local f, g = load "return 1", load "return 1"
print(f ~= g, f() == g(), load("local a, b = ...; return b, a")(1, 2))
-- a chunk keeps running state of its own
local counter = load("local n = 0; return function() n = n + 1; return n end")()
print(counter(), counter(), counter())
-- numbers are accepted as strings are; other values are refused
print(load(5)); print(pcall(load)); print(pcall(load, {})); print(pcall(load, nil)); print(pcall(load, true))
print(pcall(load, "return 1", {}))
-- nested loads
print(load("return load('return load(\"return 42\")()')()")())
-- limits of the compiler are errors of load
local many = {}
for i = 1, 201 do many[i] = "local a" .. i end
print((select(2, load(table.concat(many, "\n"), "=lim"))))
local deep = "return " .. ("("):rep(300) .. "1" .. (")"):rep(300)
local f1, m1 = load(deep, "=deep"); print(f1, m1 ~= nil and (m1:find("overflow", 1, true) or m1:find("limit", 1, true)) ~= nil)
local ups = {}
for i = 1, 150 do ups[i] = "local u" .. i .. " = " .. i end
print(load(table.concat(ups, "\n") .. "\nreturn function() return u1 + u75 + u150 end")()())
