-- script_timeout
local function f() return f() end
f()
