--- pass
--- 1	x	true	1	2	nil
--- 3
--- true	0	
--- assertion failed!
--- assertion failed!
--- message
--- 42
--- nil
--- bad argument #1 to 'assert' (value expected)
--- false	true	7
--- false	golden:29: no position
--- false	golden:30: assertion failed!
--- false	golden:31: bad argument #1 to 'assert' (value expected)
--- false	golden:33: chunk:1: unexpected symbol near '='
--- 1	2
--- integer
---
-- Manual 6.1: assert.
local function err(f, ...) print((select(2, pcall(f, ...)))) end
print(assert(1), assert("x", "unused"), assert(true, 1, 2, nil))
print(select("#", assert(1, nil, nil)))
print(assert({}) ~= nil, assert(0), assert(""))
err(assert, false); err(assert, nil); err(assert, false, "message"); err(assert, nil, 42); err(assert, false, nil); err(assert)
local obj = { code = 7 }
local ok, e = pcall(assert, false, obj)
print(ok, e == obj, e.code)
-- the message gets no position
print(pcall(function() assert(false, "no position") end))
print(pcall(function() assert(nil) end))
print(pcall(function() assert() end))
-- the usual idiom with functions that return nil, message
print(pcall(function() assert(load("x = = 1", "=chunk")) end))
print(assert(load("return 1, 2"))())
print(math.type(select(2, pcall(assert, false, 42))))
