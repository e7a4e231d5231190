-- script_runtime_error
error(function() end)
