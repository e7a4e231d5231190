--- pass
--- nil	true	true
--- true	nil
--- nil	nil	nil	nil
--- false	false
--- locked
--- cannot change a protected metatable
--- cannot change a protected metatable
--- false	false	cannot change a protected metatable
--- 1
--- x?	0
--- bad argument #1 to 'setmetatable' (table expected, got number)
--- bad argument #1 to 'setmetatable' (table expected, got string)
--- bad argument #1 to 'setmetatable' (table expected, got no value)
--- bad argument #2 to 'setmetatable' (nil or table expected, got no value)
--- bad argument #2 to 'setmetatable' (nil or table expected, got number)
--- bad argument #2 to 'setmetatable' (nil or table expected, got string)
--- bad argument #1 to 'setmetatable' (table expected, got nil)
--- bad argument #1 to 'getmetatable' (value expected)
--- self-x	nil
--- yes	yes	true
--- nil
--- 99
--- 0
---
-- Manual 6.1: getmetatable, setmetatable, __metatable.
local function err(f, ...) print((select(2, pcall(f, ...)))) end
local t, mt = {}, {}
print(getmetatable(t), setmetatable(t, mt) == t, getmetatable(t) == mt)
print(setmetatable(t, nil) == t, getmetatable(t))
print(getmetatable(1), getmetatable(nil), getmetatable(true), getmetatable(print))
print(getmetatable(""), getmetatable("a"))
-- __metatable hides and protects
setmetatable(t, { __metatable = "locked" })
print(getmetatable(t))
err(setmetatable, t, {})
err(setmetatable, t, nil)
local u = setmetatable({}, { __metatable = false })
print(getmetatable(u), pcall(setmetatable, u, {}))
u = setmetatable({}, { __metatable = { public = 1 } })
print(getmetatable(u).public)
-- __metatable does not hide the metamethods
u = setmetatable({}, { __metatable = 0, __index = function(_, k) return k .. "?" end })
print(u.x, getmetatable(u))
-- arguments
err(setmetatable, 1, {}); err(setmetatable, "s", {}); err(setmetatable); err(setmetatable, {})
err(setmetatable, {}, 1); err(setmetatable, {}, "s"); err(setmetatable, nil, {}); err(getmetatable)
-- an object may be its own metatable; one metatable serves many
local self = {}
self.__index = function(_, k) return "self-" .. k end
print(setmetatable(self, self).x, rawget(self, "x"))
local a, b = setmetatable({}, mt), setmetatable({}, mt)
mt.__index = { shared = "yes" }
print(a.shared, b.shared, getmetatable(a) == getmetatable(b))
-- metamethods are found raw in the metatable
local meta = setmetatable({}, { __index = { __index = { never = 1 } } })
print(setmetatable({}, meta).never)
-- fields added or taken away later count
local o = setmetatable({}, meta)
meta.__len = function() return 99 end
print(#o); meta.__len = nil; print(#o)
