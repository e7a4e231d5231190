-- script_timeout
local keep
local function again(x) keep = x setmetatable(x, getmetatable(x)) end
local m = { __gc = again }
while true do setmetatable({}, m) end
