-- script_invalid_output
headers['A'] = 'x\r\nHost: evil'
