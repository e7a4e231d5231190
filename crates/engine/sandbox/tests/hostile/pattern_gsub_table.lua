-- script_timeout
return ('a'):rep(1e5):gsub('a', setmetatable({}, { __index = function() while true do end end }))
