-- script_timeout
while true do ('x'):rep(1000000):find('%f[y]') end
