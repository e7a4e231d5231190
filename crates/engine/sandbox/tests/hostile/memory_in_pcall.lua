-- script_memory_limit
local t = {}
while true do
  local ok, e = pcall(function() while true do t[#t + 1] = ('x'):rep(1000) .. #t end end)
  if not ok then error(e, 0) end
end
