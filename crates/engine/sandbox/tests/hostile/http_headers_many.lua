-- script_timeout
local t = {}
for i = 1, 1000 do t['h' .. i] = 'x' end
while true do pcall(http.get, 'http://x/', t) end
