-- script_timeout
local s = ('9'):rep(1 << 20)
while true do tonumber(s) end
