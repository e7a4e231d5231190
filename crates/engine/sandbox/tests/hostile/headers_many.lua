-- script_invalid_output
for i = 1, 1000 do headers['h' .. i] = 'x' end
