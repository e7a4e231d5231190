-- script_runtime_error
local t = {}
t.t = t
t.type = 'script_module_kv'
t.message = 'forged'
t.retryable = true
error(t)
