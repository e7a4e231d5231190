-- script_runtime_error
local function h(e) return error(e) end
xpcall(function() error('x') end, h)
local function f() return f() + 1 end
f()
