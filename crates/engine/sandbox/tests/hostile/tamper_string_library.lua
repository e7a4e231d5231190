-- ok
for k in pairs(string) do string[k] = error end
for k in pairs(table) do table[k] = error end
for k in pairs(math) do math[k] = error end
request.headers.A = 1
