-- script_runtime_error
log.info(setmetatable({}, { __tostring = function() return {} end }))
