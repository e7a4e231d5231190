-- script_runtime_error
local function f(s) return (s:gsub('.', f)) end
f('x')
