-- script_runtime_error
local function f(n) local ok, e = pcall(f, n + 1) if not ok then error(e, 0) end end
f(1)
