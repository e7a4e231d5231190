-- script_timeout
while true do (('('):rep(200000)):find('%b()') end
