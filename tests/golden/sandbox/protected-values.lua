--- pass
--- nil	nil	nil	nil	nil
--- bad argument #1 to 'setmetatable' (table expected, got function)
--- bad argument #1 to 'setmetatable' (table expected, got thread)
--- bad argument #1 to 'setmetatable' (table expected, got number)
--- false
--- nil	nil	nil	nil
--- patched
--- xxx
--- y
--- false	false	false
--- golden:37: attempt to index a boolean value
--- 1	nil	HELLO
--- 1,2	aabbcc	3
--- table
--- true	123
--- true
--- resulting string too large
--- resulting string too large
--- invalid value (nil) at index 1 in table for 'concat'
--- false	false	false
--- nil	nil	nil
--- true	nil
--- hidden
--- false	false	false	false
---
-- Scripts cannot reach what belongs to the host or to Lua's inside through ordinary values.
local function err(f, ...) print((select(2, pcall(f, ...)))) end
-- functions, threads, booleans, numbers and nil have no metatable to change
print(getmetatable(print), getmetatable(coroutine.create(print)), getmetatable(1), getmetatable(nil), getmetatable(true)); err(setmetatable, print, {}); err(setmetatable, coroutine.create(print), {}); err(setmetatable, 1, {}); print((pcall(setmetatable, io.stdout, {})))
-- _G has no metatable; libraries are plain tables that a script may change for itself
print(getmetatable(_G), getmetatable(string), getmetatable(math), getmetatable(package.loaded))
local rep = string.rep; string.rep = function() return "patched" end; print(("x"):rep(3)); string.rep = rep; print(("x"):rep(3))
-- the functions of strings are the table `string`, which may be extended by scripts
string.trim = function(s) return (s:match("^%s*(.-)%s*$")) end; print(("  y "):trim()); string.trim = nil
-- the metatable of strings is closed: nobody changes what strings do for everybody
print(getmetatable(""), getmetatable("a"), (pcall(setmetatable, "", {}))); err(function() getmetatable("").__index = nil end); print(("x"):len(), ("hello")[2], ("hello"):upper())
-- errors inside library callbacks do not corrupt the library
pcall(table.sort, { 3, 1, 2 }, function() error() end); pcall(string.gsub, "abc", ".", function() error() end); pcall(load, function() error() end); pcall(table.concat, { {} }); print(table.concat({ 1, 2 }, ","), ("abc"):gsub(".", "%0%0"))
-- tables changed under a running library call
local t = { 5, 4, 3, 2, 1 }; pcall(table.sort, t, function(a, b) t[1] = nil; return (a or 0) < (b or 0) end); print(type(t)); local u = { 1, 2, 3 }; print(pcall(table.concat, setmetatable({}, { __len = function() return 3 end, __index = function(_, k) u[k] = nil; return k end }))); local w = {}; for i = 1, 10 do w[i] = i end; print(pcall(function() for k in pairs(w) do w[k] = nil; w["n" .. k] = k end end) ~= nil)
-- huge requests are refused, not tried
err(string.rep, "x", 1 << 31); err(string.rep, "x", 1 << 40); err(table.concat, setmetatable({}, { __len = function() return 1 << 40 end }), ","); print((pcall(string.format, "%" .. ("9"):rep(5) .. "d", 1)), (pcall(table.unpack, {}, 1, 1 << 30)), (pcall(string.rep, ("x"):rep(1000), 1 << 21)))
-- _ENV games do not open doors
print(load("return os and os.execute, io and io.open, debug and debug.getinfo", "=e", "t", {})()); print(pcall(load("return require", "=e", "t", {}))); print((load("return getmetatable(_ENV)", "=e", "t", setmetatable({ getmetatable = getmetatable }, { __metatable = "hidden" }))()))
-- names with NUL bytes, dots and slashes are names, not paths
print((pcall(require, "../../etc/passwd")), (pcall(require, "a\0b")), (pcall(require, "")), (pcall(require, ("x"):rep(1000))))
