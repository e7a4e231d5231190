-- script_memory_limit
local s = ('x'):rep(1 << 22)
while true do s = string.format('%s%s%s', s, s, s) end
