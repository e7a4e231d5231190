-- script_timeout
while true do kv.get('k') end
