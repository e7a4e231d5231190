-- script_timeout
local a, b = ('a'):rep(1 << 20), ('a'):rep(1 << 20) .. 'b'
while true do local x = a < b end
