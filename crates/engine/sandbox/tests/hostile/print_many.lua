-- script_timeout
local t = {}
for i = 1, 200 do t[i] = i end
while true do print(table.unpack(t)) end
