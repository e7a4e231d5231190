-- script_memory_limit
local t = {}
while true do t[#t + 1] = setmetatable({}, { __index = function() end, __newindex = print }) end
