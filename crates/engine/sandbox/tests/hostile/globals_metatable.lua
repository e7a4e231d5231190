-- ok
setmetatable(_G, { __index = function() error('read') end, __newindex = function() error('write') end, __pairs = function() while true do end end })
