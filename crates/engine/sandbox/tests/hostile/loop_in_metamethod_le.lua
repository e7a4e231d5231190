-- script_timeout
local t = setmetatable({}, { __le = function() while true do end end })
local x = t <= t
