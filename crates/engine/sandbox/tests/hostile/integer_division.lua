-- script_runtime_error
return 1 // 0
