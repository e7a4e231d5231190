--- pass
--- b a c!E
--- second version
--- early
--- marked
--- 1
--- My.Type: ADDR	bad argument #1 to 'string.rep' (string expected, got My.Type)	golden:39: attempt to compare My.Type with number
--- S!	S!	S!|   S!	false	golden:41: attempt to concatenate a table value (upvalue 'S')
--- false	bad argument #1 to 'io.write' (string expected, got table)
--- false	invalid value (table) at index 1 in table for 'concat'
--- mm	still	false	cannot change a protected metatable
--- nil	0	true
--- key	1	7	neg	cat	all
---
-- Manual 2.4, 2.5, 6.1: the remaining events: __close __gc __mode __name __tostring __metatable __pairs.
local order = {}
local function closer(n) return setmetatable({}, { __close = function(self, e) order[#order + 1] = n .. (e and ("!" .. tostring(e)) or "") end }) end
do local a <close> = closer "a"; local b <close> = closer "b" end
pcall(function() local c <close> = closer "c"; error("E", 0) end)
print(table.concat(order, " "))
-- __close set after the declaration; changed later
local mt = { __close = function() print "first version" end }
do local x <close> = setmetatable({}, mt); mt.__close = function() print "second version" end end
-- __gc is honoured only when the field is there as the metatable is set
local collected = {}
do
  local early = setmetatable({}, { __gc = function() collected[#collected + 1] = "early" end })
  local m = {}; local late = setmetatable({}, m); m.__gc = function() collected[#collected + 1] = "late" end
  early, late = nil, nil
end
collectgarbage(); print(table.concat(collected, " "))
-- any value of __gc marks; a later function is used
collected = {}
do local m = { __gc = true }; local x = setmetatable({}, m); m.__gc = function() collected[#collected + 1] = "marked" end; x = nil end
collectgarbage(); print(table.concat(collected, " "))
-- __mode
local weak = setmetatable({}, { __mode = "k" }); weak[{}] = 1; weak.str = {}; collectgarbage(); local n = 0; for _ in pairs(weak) do n = n + 1 end print(n)
-- __name in tostring and in messages
local T = setmetatable({}, { __name = "My.Type" }); print((tostring(T):gsub("0?x?%x+$", "ADDR")), (select(2, pcall(string.rep, T))), (select(2, pcall(function() return T < 1 end))))
-- __tostring is used by tostring, print, string.format %s; not by .. nor io.write
local S = setmetatable({}, { __tostring = function() return "S!" end }); print(S, tostring(S), ("%s|%5s"):format(S, S), pcall(function() return S .. "" end)); print(pcall(io.write, S)); print(pcall(table.concat, { S }))
-- __metatable is seen by getmetatable and setmetatable only
local M = setmetatable({}, { __metatable = "mm", __tostring = function() return "still" end }); print(getmetatable(M), tostring(M), pcall(setmetatable, M, nil))
-- events are looked up raw, and unknown events mean nothing
local U = setmetatable({}, { __foo = error, __next = error, __ipairs = error }); print(next(U), #U, (ipairs(U)) ~= nil)
-- one metatable for many events at once
local all = setmetatable({}, setmetatable({ __index = function(_, k) return k end, __call = function(_, x) return x end, __len = function() return 7 end, __unm = function() return "neg" end, __concat = function() return "cat" end, __tostring = function() return "all" end }, { __index = function(_, k) error("metatable lookup " .. tostring(k)) end })); print(all.key, all(1), #all, -all, all .. all, tostring(all))
