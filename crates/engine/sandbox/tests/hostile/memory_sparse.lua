-- script_timeout
local t = {}
while true do t[math.random(1 << 40)] = nil end
