-- script_memory_limit
return ('x'):rep(1e9)
