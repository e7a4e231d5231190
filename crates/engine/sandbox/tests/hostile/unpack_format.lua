-- script_runtime_error
return string.unpack(('s'):rep(1000), ('\255'):rep(100))
