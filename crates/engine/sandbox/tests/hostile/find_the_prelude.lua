-- ok
-- Nothing that a script reaches leads to what the engine has.
local seen, left = {}, { _G }
while #left > 0 do
  local t = table.remove(left)
  if type(t) == 'table' and not seen[t] then
    seen[t] = true
    for k, v in next, t do left[#left + 1] = k left[#left + 1] = v end
    local m = getmetatable(t)
    if type(m) == 'table' then left[#left + 1] = m end
  end
end
assert(not seen[true])
