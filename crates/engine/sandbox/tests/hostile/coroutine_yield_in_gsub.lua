-- script_runtime_error
coroutine.wrap(function() ('x'):gsub('.', coroutine.yield) end)()
