-- script_memory_limit
for i = 1, 1e9 do headers['h' .. i] = 'x' end
