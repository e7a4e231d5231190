-- script_runtime_error
rawset(metadata, 'x', 1)
metadata.config_id = 'another'
