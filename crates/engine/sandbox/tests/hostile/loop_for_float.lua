-- script_timeout
for i = 1, math.huge do end
