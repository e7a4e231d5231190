-- script_runtime_error
error(('x'):rep(1 << 20))
