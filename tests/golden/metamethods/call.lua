--- pass
--- 1	0
--- 2	1	nil
--- 3	3	1	2	nil
--- 4	1	s
--- true	6
--- true	7	1	p
--- 8	1	co
--- 9	1	7
--- a10c	true	11	1	x
--- 1 2 3 
--- table	table	table	6
--- 12	1	tail
--- inner	3
--- inner	3
--- attempt to call a table value
--- attempt to call a number value
--- attempt to call a table value
--- golden:50: attempt to call a boolean value (local 't')
--- golden:50: attempt to call a table value (field 'x')
--- golden:50: attempt to call a string value (constant 'str')
--- attempt to call a table value
--- in call
--- 7	true
--- 102334155	40
--- 3
--- bad argument #1 to 'coroutine.create' (function expected, got table)
--- bad argument #2 to 'table.sort' (function expected, got table)
--- a
--- false	bad argument #1 to 'load' (function expected, got table)
--- 202
--- golden:67: attempt to index a boolean value
--- golden:67: attempt to call a string value (constant 'ab')
---
-- Manual 2.4: __call.
local function err(f, ...) print((select(2, pcall(f, ...)))) end
local c = setmetatable({ n = 0 }, { __call = function(self, ...) self.n = self.n + 1; return self.n, select("#", ...), ... end })
print(c()); print(c(nil)); print(c(1, 2, nil)); print(c "s"); print(c { 1 } ~= nil, (c()))
-- everywhere functions are called
print(pcall(c, "p")); print(select(2, coroutine.resume(coroutine.create(function() return c("co") end)))); print(coroutine.wrap(function(...) return c(...) end)(7))
print((("abc"):gsub("b", function(x) return (c(x)) end)), xpcall(c, print, "x"))
for i in setmetatable({}, { __call = function(_, _, k) k = (k or 0) + 1; if k <= 3 then return k end end }) do io.write(i, " ") end print()
-- method calls on callable fields, tail calls, nested
local obj = { run = setmetatable({}, { __call = function(self, o, x) return type(self), type(o), x end }) }
print(obj:run(5), obj.run(obj, 6)); print((function(...) return c(...) end)("tail"))
-- chains: __call that is itself a callable object
local inner = setmetatable({}, { __call = function(self, ...) return "inner", select("#", ...) end })
local outer = setmetatable({}, { __call = inner }); print(outer(1, 2)); print(setmetatable({}, { __call = outer })(1))
-- not callable
err(setmetatable({}, {})); err(setmetatable({}, { __call = 5 })); err(setmetatable({}, { __call = {} })); err(function() local t = setmetatable({}, { __call = true }); t() end); err(function() local t = { x = {} }; t.x() end); err(function() ("str")() end)
-- __call is looked up raw in the metatable
err(setmetatable({}, setmetatable({}, { __index = { __call = function() end } })))
-- errors inside, and levels
err(function() setmetatable({}, { __call = function() error("in call", 0) end })() end)
-- constructors by __call on classes
local Point = setmetatable({}, { __call = function(cls, x, y) return setmetatable({ x = x, y = y }, cls) end })
Point.__index = Point; function Point:sum() return self.x + self.y end
print(Point(3, 4):sum(), getmetatable(Point(1, 1)) == Point)
-- memoized callable, currying and function objects with state
local memo = setmetatable({}, { __call = function(self, n) local v = self[n]; if not v then v = n < 2 and n or self(n - 1) + self(n - 2); self[n] = v end return v end }); print(memo(40), rawlen(memo))
local add = setmetatable({}, { __call = function(_, a) return setmetatable({}, { __call = function(_, b) return a + b end }) end }); print(add(1)(2))
-- callable where a function is demanded by type
err(coroutine.create, c); err(table.sort, { 2, 1 }, c); err(string.gsub, "a", "a", c); print(pcall(load, c))
-- many arguments
print(select("#", c(table.unpack({}, 1, 200))))
-- strings cannot be made callable
err(function() getmetatable("").__call = print end); err(function() return ("ab")(3) end)
