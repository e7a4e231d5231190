-- script_runtime_error
local _, e = pcall(kv.get, {})
local _, m = pcall(kv.get, 'fails')
setmetatable(m, {})
