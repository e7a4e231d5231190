-- script_runtime_error
return ('x'):rep(1 << 62, 'yy')
