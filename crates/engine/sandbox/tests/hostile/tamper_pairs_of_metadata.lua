-- script_runtime_error
local step, state, first = pairs(metadata)
while true do local k, v = step(state, first) if k == nil then break end first = k end
metadata.attempt = 1
