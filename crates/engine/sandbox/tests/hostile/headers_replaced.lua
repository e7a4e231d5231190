-- script_invalid_output
headers = setmetatable({}, { __index = function() while true do end end })
