-- script_timeout
local t = setmetatable({}, { __len = function() return 1 << 50 end, __newindex = function() end })
table.remove(t, 1)
