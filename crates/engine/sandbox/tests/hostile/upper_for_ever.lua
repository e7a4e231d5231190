-- script_timeout
local s = ('a'):rep(1 << 20)
while true do s:upper() end
