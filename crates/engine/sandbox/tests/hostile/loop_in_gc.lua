-- script_timeout
for i = 1, 1e6 do setmetatable({}, { __gc = function() while true do end end }) end
while true do local t = {} end
