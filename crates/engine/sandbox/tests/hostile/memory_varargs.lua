-- script_timeout
local function f(...) return select('#', ...) end
local t = {}
for i = 1, 200 do t[i] = i end
while true do f(table.unpack(t)) end
