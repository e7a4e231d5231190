-- script_timeout
local f = coroutine.wrap(function() while true do kv.get('k') coroutine.yield() end end)
while true do f() end
