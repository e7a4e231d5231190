-- script_memory_limit
local s = 'x'
while true do s = string.pack('s4s4', s, s) end
