-- script_timeout
local t = setmetatable({}, { __shl = function() while true do end end })
local x = t << 1
