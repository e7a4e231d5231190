--- pass
--- 1	false	json: nested deeper than option 'depth' allows at line 1, column 129
--- table	false	json: nested deeper than option 'depth' allows at line 1, column 641
--- false	json: nested deeper than option 'depth' allows at line 1, column 129
--- false	json: nested deeper than option 'depth' allows at line 1, column 129
--- false	json: nested deeper than option 'depth' allows at line 1, column 641
--- 1	false	json: nested deeper than option 'depth' allows at line 1, column 201
--- 0	false	json: nested deeper than option 'depth' allows at line 2, column 1
--- 5	false	json: nested deeper than option 'depth' allows at line 1, column 7
--- false	bad argument #2 to 'json.decode' (option 'depth' must be an integer from 1 to 200)
--- false	bad argument #2 to 'json.decode' (option 'depth' must be an integer from 1 to 200)
--- false	bad argument #2 to 'json.decode' (option 'depth' must be an integer from 1 to 200)
--- false	bad argument #2 to 'json.decode' (option 'depth' must be an integer from 1 to 200)
--- false	bad argument #2 to 'json.decode' (option 'depth' must be an integer from 1 to 200)
--- false	bad argument #2 to 'json.decode' (option 'depth' must be an integer from 1 to 200)
--- false	bad argument #2 to 'json.decode' (option 'depth' must be an integer from 1 to 200)
--- 0
--- 1001
--- 1
--- 1
---
local json = require "json"

local function lists(n) return ("["):rep(n) .. ("]"):rep(n) end
local function objects(n) return ('{"a":'):rep(n) .. "1" .. ("}"):rep(n) end

-- 128 unless said otherwise, empty ones count.
print(#json.decode(lists(128)), pcall(json.decode, lists(129)))
print(type(json.decode(objects(128))), pcall(json.decode, objects(129)))
print(pcall(json.decode, lists(1000)))
print(pcall(json.decode, ("["):rep(100000)))
print(pcall(json.decode, ('{"a":'):rep(100000)))

-- The option, up to 200.
print(#json.decode(lists(200), { depth = 200 }), pcall(json.decode, lists(201), { depth = 200 }))
print(#json.decode("[]", { depth = 1 }), pcall(json.decode, "[\n[]]", { depth = 1 }))
print(json.decode("5", { depth = 1 }), pcall(json.decode, '[{"a":[]}]', { depth = 2 }))
for _, depth in ipairs { 0, -1, 201, 1.5, "10", math.huge, true } do
  print(pcall(json.decode, "[]", { depth = depth }))
end
print(#json.decode("[]", { depth = 5.0 }))

-- Depth is nesting, not size.
print(#json.decode("[" .. ("[],"):rep(1000) .. "[]]", { depth = 2 }))

-- From deep inside of other calls.
local function down(n)
  if n == 0 then return json.decode(lists(200), { depth = 200 }) end
  return (select(2, pcall(down, n - 1)))
end
print(#down(150))
local co = coroutine.wrap(function() return #json.decode(lists(200), { depth = 200 }) end)
print(co())
