-- script_timeout
local t = {}
for i = 1, 1e4 do t[i] = ('y'):rep(50) end
while true do json.encode(t) end
