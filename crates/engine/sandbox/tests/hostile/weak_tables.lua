-- script_timeout
while true do local t = setmetatable({}, { __mode = 'kv' }) for i = 1, 100 do t[{}] = {} end end
