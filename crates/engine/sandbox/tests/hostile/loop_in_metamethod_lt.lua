-- script_timeout
local t = setmetatable({}, { __lt = function() while true do end end })
local x = t < t
