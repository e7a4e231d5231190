-- script_runtime_error
return table.unpack({}, 1, 1e6)
