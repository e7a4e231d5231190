-- script_runtime_error
local function f(a, b) table.sort({ 3, 2, 1, 5, 4 }, f) return a < b end
f(1, 2)
