-- script_runtime_error
error(coroutine.create(function() end))
