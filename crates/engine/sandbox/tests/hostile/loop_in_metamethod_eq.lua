-- script_timeout
local t = setmetatable({}, { __eq = function() while true do end end })
local x = t == setmetatable({}, getmetatable(t))
