-- script_memory_limit
for i = 1, 1e9 do _G['g' .. i] = ('x'):rep(100) .. i end
