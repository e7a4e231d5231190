-- script_timeout
while true do pcall(json.encode, setmetatable({}, { __pairs = function() while true do end end, __index = function() while true do end end })) end
