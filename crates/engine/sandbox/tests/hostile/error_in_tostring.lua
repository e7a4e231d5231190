-- script_runtime_error
error(setmetatable({}, { __tostring = function() error('again') end }))
