-- script_timeout
local t = setmetatable({}, { __len = function() return math.maxinteger - 1 end, __index = function() return 1 end, __newindex = function() end })
table.insert(t, 1, 1)
