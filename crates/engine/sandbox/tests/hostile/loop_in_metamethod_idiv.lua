-- script_timeout
local t = setmetatable({}, { __idiv = function() while true do end end })
local x = t // 1
