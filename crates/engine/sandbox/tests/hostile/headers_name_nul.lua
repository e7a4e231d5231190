-- script_invalid_output
headers['a\0b'] = 'x'
