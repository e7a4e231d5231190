-- script_runtime_error
local t = {}
for i = 1, 1e4 do t[i] = i end
error(t)
