-- script_memory_limit
local s = ('x'):rep(1 << 20)
while true do s = base64.encode(s) end
