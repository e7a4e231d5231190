--- pass
--- true	1	nil	3
--- false	handled: e
--- false	table
--- 2	2
--- false	true
--- false	bad argument #2 to 'xpcall' (function expected, got nil)
--- false	golden:35: oops
--- true	true
--- false	H(golden:40: attempt to perform arithmetic on a nil value)
--- false	H(golden:41: attempt to call a nil value (local 'x'))
--- false	H(bad argument #1 to 'string.rep' (string expected, got no value))
--- false	H(attempt to call a nil value)
--- false	H(attempt to call a table value)
--- false	after 3 again2
--- false	string
--- false	bad argument #2 to 'xpcall' (function expected, got number)
--- false	bad argument #2 to 'xpcall' (function expected, got string)
--- false	bad argument #2 to 'xpcall' (function expected, got no value)
--- false	bad argument #2 to 'xpcall' (function expected, got no value)
--- false	bad argument #2 to 'xpcall' (function expected, got table)
--- false	out:in:x:rethrown
--- true	false	quiet
--- 2
--- false	H:b=5
---
-- Manual 6.1: xpcall.
print(xpcall(function(...) return ... end, print, 1, nil, 3))
print(xpcall(function() error("e", 0) end, function(m) return "handled: " .. m end))
print(xpcall(function() error({ 1 }) end, function(m) return type(m), "dropped" end))
print(select("#", xpcall(error, function() return 1, 2, 3 end)), select("#", xpcall(error, function() end)))
print(xpcall(error, function(m) return m == nil end))
print(pcall(xpcall, function(a, b) return a + b end, nil, 1, 2))
-- the handler sees the stack of the error: traceback names the function
local function inner() error("oops") end
local ok, tb = xpcall(function() inner() end, debug.traceback)
print(ok, tb:match("^[^\n]+"))
print(tb:find("stack traceback:", 1, true) ~= nil, tb:find("inner", 1, true) ~= nil)
-- runtime errors go through the handler too
print(xpcall(function() return 1 + nil end, function(m) return "H(" .. m .. ")" end))
print(xpcall(function() local x; x() end, function(m) return "H(" .. m .. ")" end))
print(xpcall(string.rep, function(m) return "H(" .. m .. ")" end))
-- calling something uncallable
print(xpcall(nil, function(m) return "H(" .. m .. ")" end))
print(xpcall({}, function(m) return "H(" .. m .. ")" end))
-- an error inside the handler calls the handler again, until it gives in
local n = 0
print(xpcall(error, function(m) n = n + 1; if n < 3 then error("again" .. n, 0) end return "after " .. n .. " " .. tostring(m) end, "first"))
-- a handler that always fails
local ok2, m2 = xpcall(error, function(m) error("always") end, "x")
print(ok2, type(m2))
-- the handler must be a function
print(pcall(xpcall, error, 5, "x")); print(pcall(xpcall, error, "handler"))
print(pcall(xpcall)); print(pcall(xpcall, print))
-- a callable object is no function
print(pcall(xpcall, error, setmetatable({}, { __call = function(_, m) return "object got " .. m end }), "msg"))
-- nested: only the innermost handler runs
print(xpcall(function()
  local ok, m = xpcall(error, function(m) return "in:" .. m end, "x")
  error(m .. ":rethrown", 0)
end, function(m) return "out:" .. m end))
-- pcall inside xpcall keeps the outer handler out
print(xpcall(function() return pcall(error, "quiet") end, function() return "never" end))
-- yield across xpcall
local co = coroutine.wrap(function() return xpcall(function(a) local b = coroutine.yield(a + 1); error("b=" .. b, 0) end, function(m) return "H:" .. m end, 1) end)
print(co()); print(co(5))
