-- script_runtime_error
coroutine.yield()
