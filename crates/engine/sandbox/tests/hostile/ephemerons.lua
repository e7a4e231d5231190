-- script_timeout
local t = setmetatable({}, { __mode = 'k' })
local k = {}
for i = 1, 1e4 do local n = {} t[n] = k k = n end
while true do local x = {} end
