-- script_invalid_output
local g = _G
local names = {}
for k in pairs(g) do names[#names + 1] = k end
for _, k in ipairs(names) do g[k] = nil end
