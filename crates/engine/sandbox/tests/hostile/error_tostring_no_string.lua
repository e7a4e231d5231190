-- script_runtime_error
error(setmetatable({}, { __tostring = function() return {} end }))
