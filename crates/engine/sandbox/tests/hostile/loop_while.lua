-- script_timeout
while true do local x = 1 + 1 end
