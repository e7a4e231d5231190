-- script_timeout
repeat until false
