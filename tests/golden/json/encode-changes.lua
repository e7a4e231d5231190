--- pass
--- {"a":1,"m":{"inner":1},"z":null}
--- {"a":1,"m":{"inner":1},"z":"other"}
--- {"a":1,"m":{"inner":1},"z":2}
--- a b c d e f g h m
--- a b c d e f g h m
--- [1,{},3,"more"]
--- [1,{}]
--- false	json: cannot encode a function (at .x.y.z.f)
--- false	json: cannot encode a function (at .x.y.w[1])
--- false	json: cannot encode a list with holes (at .x.y.z[1])
--- false	json: cannot encode a cycle (a table inside itself) (at .x.y[1].z.back)
--- false	attempt to call a number value
--- false	no
--- true
---
-- A table that changes while it is encoded: __pairs is code of the script, and may reach the tables around it. The
-- keys of an object are those from before; what is gone by then is null. A list ends where it ends by then.
local json = require "json"

local function with(outer, change)
  outer.m = setmetatable({}, { __pairs = function() change(outer) return next, { inner = 1 } end })
  return json.encode(outer, { sort_keys = true })
end

print(with({ a = 1, z = 2 }, function(t) t.z = nil end))
print(with({ a = 1, z = 2 }, function(t) t.z = "other" end))
print(with({ a = 1, z = 2 }, function(t) for i = 1, 100 do t["n" .. i] = i end end))

-- Without sort_keys: whatever the order, each key once.
local function count(outer, change)
  outer.m = setmetatable({}, { __pairs = function() change(outer) return next, {} end })
  local decoded = json.decode(json.encode(outer))
  local keys = {}
  for key in pairs(decoded) do keys[#keys + 1] = key end
  table.sort(keys)
  return table.concat(keys, " ")
end
local letters = {}
for letter in ("abcdefgh"):gmatch "." do letters[letter] = letter end
print(count(letters, function(t) for i = 1, 100 do t["n" .. i] = i end end))
letters = {}
for letter in ("abcdefgh"):gmatch "." do letters[letter] = letter end
print(count(letters, function(t) for letter in ("abcdefgh"):gmatch "." do t[letter] = nil end collectgarbage() end))

-- Lists are read by their index.
local list = { 1, 2, 3 }
list[2] = setmetatable({}, { __pairs = function() list[4] = "more" return next, {} end })
print(json.encode(list))
list = { 1, 2, 3 }
list[2] = setmetatable({}, { __pairs = function() list[3] = nil return next, {} end })
print(json.encode(list))

-- Three levels, and errors that name the place.
local deep = { x = { y = {} } }
deep.x.y.z = setmetatable({}, { __pairs = function() deep.x.y.w = 5 return next, { f = print } end })
print(pcall(json.encode, deep))
deep.x.y.z = setmetatable({}, { __pairs = function() for i = 1, 50 do deep.x["k" .. i] = i end return next, {} end })
deep.x.y.w = { print }
print(pcall(json.encode, deep, { sort_keys = true }))
deep.x.y.w = nil
deep.x.y.z = { setmetatable({}, { __pairs = function() for i = 1, 50 do deep.x["k" .. i] = nil end return next, { 1, [3] = 3 } end }) }
print(pcall(json.encode, deep))
deep.x = { y = { { z = setmetatable({}, { __pairs = function() deep.x.q = 1 return next, { back = deep } end }) } } }
print(pcall(json.encode, deep))
print(pcall(json.encode, setmetatable({}, { __pairs = 5 })))
print(pcall(json.encode, { a = setmetatable({}, { __pairs = function() error("no", 0) end }) }))

-- A finalizer does not run in between.
local outer = {}
for i = 1, 2000 do outer["key" .. i] = ("v"):rep(20) end
for _ = 1, 50 do
  setmetatable({}, { __gc = function() outer.key1 = nil for i = 1, 5000 do outer["new" .. i] = i end end })
end
local before = json.encode(outer)
local seen = 0
for _ in pairs(json.decode(before)) do seen = seen + 1 end
print(seen == 2000 or seen == 7000 or seen == 1999 or seen == 6999)
