-- script_runtime_error
getmetatable('').__index = { upper = error }
