-- script_runtime_error
local t = {}
t.t = t
json.encode(t)
