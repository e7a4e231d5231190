-- script_runtime_error
error('engine:1: mine', 0)
