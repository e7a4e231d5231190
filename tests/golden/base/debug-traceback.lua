--- pass
--- message	stack traceback:
--- stack traceback:
--- b	stack traceback:	stack traceback:
--- true	true	true	42	1.5
--- golden:39: in upvalue 'inner'
--- golden:41: in upvalue 'middle'
--- golden:42: in function 'globalouter'
--- golden:43: in main chunk
--- golden:41: in upvalue 'middle'
--- golden:42: in function 'globalouter'
--- far
--- stack traceback:
--- [C]: in function 'debug.traceback'
--- golden:46: in method 'method'
--- golden:46: in field 'field'
--- golden:47: in metamethod 'index'
--- 3	[C]: in function 'coroutine.yield'	golden:48: in function <golden:48>
--- msg	2	true
--- stack traceback:
--- true	true
--- 23	...	(skipping N levels)
--- true
--- golden:55: attempt to index a nil value (local 'x')
--- true
--- bad argument #2 to 'debug.traceback' (number expected, got string)
--- bad argument #2 to 'debug.traceback' (number expected, got table)
--- bad argument #3 to 'debug.traceback' (number has no integer representation)
---
-- Manual 6.10: debug.traceback, one of the two functions of debug in the strict sandbox.
local function err(f, ...) print((select(2, pcall(f, ...)))) end
local function lines(s) local r = {}; for l in s:gmatch "[^\n]+" do r[#r + 1] = l end return r end
-- the message, then a fixed heading
local tb = debug.traceback("message"); print(lines(tb)[1], lines(tb)[2]); print(lines(debug.traceback())[1]); print(lines(debug.traceback("a\nb"))[2], debug.traceback(nil):sub(1, 16), lines(debug.traceback(""))[1])
-- numbers count as strings, other messages come back untouched
local t = {}; print(debug.traceback(t) == t, debug.traceback(true), debug.traceback(print) == print, lines(debug.traceback(42))[1], lines(debug.traceback(1.5))[1])
-- levels: functions with their names and lines
local function inner(level)
  return debug.traceback("tb", level)
end
local function middle(level) local r = inner(level); return r end
function globalouter(level) local r = middle(level); return r end
local l = lines(globalouter()); for i = 3, 6 do print((l[i]:gsub("^%s+", ""))) end
l = lines(globalouter(2)); print((l[3]:gsub("^%s+", ""))); l = lines(globalouter(3)); print((l[3]:gsub("^%s+", ""))); print(debug.traceback("far", 1000)); l = lines(globalouter(0)); print((l[3]:gsub("^%s+", "")))
-- methods, fields, metamethods, coroutines
local o = {}; function o:method() local r = debug.traceback(); return r end; function o.field() local r = debug.traceback(); return r end
print((lines(o:method())[2]:gsub("^%s+", ""))); print((lines(o.field())[2]:gsub("^%s+", ""))); print((lines(setmetatable({}, { __index = function() local r = debug.traceback(); return r end }).x)[2]:gsub("^%s+", "")))
local co = coroutine.create(function() local x = 1; coroutine.yield(x) end); coroutine.resume(co); l = lines(debug.traceback(co)); print(#l, (l[2]:gsub("^%s+", "")), (l[3]:gsub("^%s+", ""))); print(lines(debug.traceback(co, "msg"))[1], #lines(debug.traceback(co, nil, 1)), debug.traceback(co, t) == t); print(debug.traceback(coroutine.create(print)))
local bad = coroutine.create(function() local function thrower() error("in co") end thrower() end); coroutine.resume(bad); print(#lines(debug.traceback(bad)) >= 3, debug.traceback(bad):find("thrower", 1, true) ~= nil)
-- long stacks are cut in the middle
local function deep(n) if n == 0 then return (debug.traceback()) end return (deep(n - 1)) end; l = lines(deep(100)); print(#l, (l[12]:gsub("^%s+", ""):gsub("%d+", "N")))
-- tail calls leave a mark
local function tail() return debug.traceback() end; local function caller() return tail() end; print(caller():find("...tail calls...", 1, true) ~= nil)
-- as handler of xpcall
print((select(2, xpcall(function() local x = nil; return x.field end, debug.traceback)):match("^[^\n]+"))); print(select(2, xpcall(error, debug.traceback, t)) == t); err(debug.traceback, "x", "y"); err(debug.traceback, "x", {}); err(debug.traceback, co, "x", 1.5)
