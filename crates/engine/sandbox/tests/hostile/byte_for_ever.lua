-- script_timeout
local s = ('a'):rep(10000)
while true do s:byte(1, -1) end
