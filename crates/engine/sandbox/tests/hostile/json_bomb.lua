-- script_memory_limit
local s = '"x"'
while true do s = json.encode({ s, s }) end
