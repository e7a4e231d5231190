-- script_timeout
while true do pcall(json.decode, ('['):rep(1e5)) end
