-- script_timeout
while true do for _ in ('a'):rep(100000):gmatch('.-b') do end end
