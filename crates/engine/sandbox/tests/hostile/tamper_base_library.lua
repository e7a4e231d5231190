-- ok
for _, k in ipairs({ 'error', 'next', 'rawget', 'rawset', 'select', 'setmetatable', 'tostring', 'type', 'pcall', 'getmetatable' }) do _G[k] = function() while true do end end end
headers.A = 2
request.body = 'x'
