--- fail: too deep for me
--- false	too deep for me
---
-- An error from far below, through metamethods, sort and gsub, none of which catch.
local function level(n)
  if n == 0 then error("too deep for me", 0) end
  if n % 4 == 0 then return (("x"):gsub("x", function() return level(n - 1) end)) end
  if n % 4 == 1 then table.sort({ 1, 2 }, function() return level(n - 1) end) end
  if n % 4 == 2 then return setmetatable({}, { __index = function(_, k) return level(k) end })[n - 1] end
  return level(n - 1)
end
print(pcall(level, 30))
level(40)
