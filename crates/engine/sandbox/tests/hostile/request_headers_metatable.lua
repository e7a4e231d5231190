-- ok
request.headers = setmetatable({}, { __pairs = function() while true do end end, __index = error, __newindex = error, __len = error, __gc = error })
