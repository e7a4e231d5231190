--- fail: an error object with __tostring
--- false	an error object with __tostring
--- true	20
---
-- An uncaught error object with __tostring is reported by it.
local E = setmetatable({}, { __tostring = function() return "an error object with __tostring" end })
print(pcall(error, E))
local depth = 0
local function down() depth = depth + 1; if depth == 20 then error(E) end down() return depth end
print(select(2, pcall(down)) == E, depth)
error(E)
