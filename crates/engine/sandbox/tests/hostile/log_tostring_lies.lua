-- script_runtime_error
log.info(setmetatable({}, { __tostring = function() return 5 end }))
