-- script_runtime_error
local x = engine
x.call(1)
