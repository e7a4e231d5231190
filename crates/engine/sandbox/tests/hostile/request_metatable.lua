-- ok
request = setmetatable({}, { __index = function() while true do end end })
config = setmetatable({}, { __index = function() while true do end end })
