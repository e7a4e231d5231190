-- script_timeout
table.move(setmetatable({}, { __index = function() return 1 end, __newindex = function() end }), 1, math.maxinteger - 1, 2)
