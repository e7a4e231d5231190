-- script_timeout
local s = ('a'):rep(1 << 20)
while true do utf8.len(s) end
