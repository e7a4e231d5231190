--- pass
--- 3	c b a
--- 0	
--- 0	
--- 1	keep
--- 2	y x
--- phoenix
--- 1	phoenix
--- 3
--- 2	after thrower
--- 4	worker false co nil
--- 1	yielder
--- 2	maker made
--- 3	parent sees child child
--- 1	self
--- true	0
--- true
---
-- Manual 2.5.3: __gc.
local log = {}
local function flush() print(#log, table.concat(log, " ")); log = {} end
local function obj(name, f) return setmetatable({ name = name }, { __gc = function(o) log[#log + 1] = o.name; if f then f(o) end end }) end
-- in the reverse order of marking
do local a, b, c = obj "a", obj "b", obj "c" end collectgarbage(); flush()
collectgarbage(); flush()
-- reachable ones stay
local keep = obj "keep"; collectgarbage(); flush(); keep = nil; collectgarbage(); flush()
-- cycles are no obstacle
do local x, y = obj "x", obj "y"; x.other, y.other = y, x end collectgarbage(); flush()
-- the object lives again in its finalizer: called once only, unless marked again
local saved
do obj("phoenix", function(o) saved = o end) end collectgarbage(); print(saved.name); saved = nil; collectgarbage(); flush()
local times = 0
do local mt = {}; mt.__gc = function(o) times = times + 1; if times < 3 then setmetatable(o, mt) end end; setmetatable({}, mt) end collectgarbage(); collectgarbage(); collectgarbage(); collectgarbage(); print(times)
-- errors in finalizers are warnings, not errors of the program
do obj("thrower", function() error("in __gc") end); obj "after" end collectgarbage(); flush()
-- finalizers may allocate, call pcall, make coroutines, strings and run the collector (which then does nothing)
do obj("worker", function() local t = {}; for i = 1, 100 do t[i] = "s" .. i end log[#log + 1] = tostring(pcall(error)); log[#log + 1] = coroutine.wrap(function() return "co" end)(); log[#log + 1] = tostring(collectgarbage()) end) end collectgarbage(); flush()
-- yield is not possible in one: turned into a warning too
do obj("yielder", function() coroutine.yield() end) end coroutine.wrap(function() collectgarbage() end)(); flush()
-- objects created in finalizers, and globals seen from them
do obj("maker", function() obj "made" end) end collectgarbage(); collectgarbage(); flush()
-- a finalizer referring to others that die with it still sees them whole
do local child = obj "child"; local parent = obj("parent", function(o) log[#log + 1] = "sees " .. o.child.name end); parent.child = child end collectgarbage(); flush()
-- __gc of a table that is used as metatable of itself
do local self = {}; self.name = "self"; self.__gc = function(o) log[#log + 1] = rawget(o, "name") end; setmetatable(self, self) end collectgarbage(); flush()
-- non-functions as __gc are ignored
do setmetatable({}, { __gc = 5 }); setmetatable({}, { __gc = {} }) end print(pcall(collectgarbage))
-- by allocation alone, without asking: the collector comes on its own
local came = false
do setmetatable({}, { __gc = function() came = true end }) end
local n = 0
while not came and n < 200000 do n = n + 1; local _ = { n } end
print(came)
