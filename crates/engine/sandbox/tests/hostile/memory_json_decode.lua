-- script_memory_limit
return json.decode('[' .. ('[1],'):rep(2e6) .. '1]')
