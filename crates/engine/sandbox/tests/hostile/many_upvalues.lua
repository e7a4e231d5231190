-- script_timeout
local a, b, c = 1, 2, 3
while true do local f = function() a, b, c = b, c, a return a end f() end
