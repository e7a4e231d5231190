-- script_runtime_error
local t = setmetatable({}, {})
getmetatable(t).__tostring = function(t) return tostring(t) end
return tostring(t)
