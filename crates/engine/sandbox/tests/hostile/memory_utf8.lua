-- script_memory_limit
local t = {}
for i = 1, 200 do t[i] = 0x7FFFFFFF end
local s = ''
while true do s = s .. utf8.char(table.unpack(t)) .. s end
