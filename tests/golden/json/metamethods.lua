--- pass
--- {"a":1}	0
--- {}
--- [1,2]
--- {"z":1,"a":2,"m":3}
--- {"a":2,"m":3,"z":1}
--- {}	["x","y"]
--- {"b":3,"a":2}
--- {"list":["x"],"more":[{"b":1,"a":[2]}]}
--- false	json: cannot encode a table with both list and named keys
--- false	json: cannot encode a list with holes
--- false	json: cannot encode a function (at .deep.f)
--- []
--- [0,10,20]
--- false	broken
--- true
--- false	attempt to call a number value
--- false	attempt to call a nil value
--- false	table index is NaN
--- false	attempt to yield across a C-call boundary
--- false	json: cannot encode a cycle (a table inside itself) (at .loop)
--- true
--- [{"text":"[1,{\"a\":2}]"},{"text":"[1,{\"a\":2}]"}]
--- [3]
--- true
--- {"more":["one","two"],"items":[{"n":1.0},{}],"open":true}
--- {}	["one","two"]
--- false	json: cannot encode a table with both list and named keys (at .more)
--- false	json: cannot encode a cycle (a table inside itself) (at .me)
--- {"config":{"a":[1,2.5,"x"]}}
---
-- Tables are read raw: of all metamethods only __pairs is asked, and the field __jsontype.
local json = require "json"
local function enc(value) return json.encode(value, { sort_keys = true }) end

local seen = {}
local noisy = setmetatable({ a = 1 }, {
  __index = function(_, k) seen[#seen + 1] = "index " .. tostring(k) end,
  __len = function() seen[#seen + 1] = "len" return 5 end,
  __tostring = function() seen[#seen + 1] = "tostring" return "x" end,
  __eq = function() seen[#seen + 1] = "eq" return true end,
})
print(enc(noisy), #seen)
print(enc(setmetatable({}, { __index = { a = 1 } })))
print(enc(setmetatable({ 1, 2 }, { __metatable = false })))

-- __pairs shows what there is, and in which order.
local function ordered(...)
  local items = { ... }
  return setmetatable({}, { __pairs = function()
    local at = -1
    return function()
      at = at + 2
      return items[at], items[at + 1]
    end
  end })
end
print(json.encode(ordered("z", 1, "a", 2, "m", 3)))
print(enc(ordered("z", 1, "a", 2, "m", 3)))
print(json.encode(ordered()), json.encode(ordered(2, "y", 1, "x")))
-- Of a key that comes twice the last value wins.
print(json.encode(ordered("b", 1, "a", 2, "b", 3)))
print(json.encode(ordered("list", ordered(1, "x"), "more", { ordered("b", 1, "a", { 2 }) })))
print(pcall(json.encode, ordered(1, "x", "a", 2)))
print(pcall(json.encode, ordered(1, "x", 3, 2)))
print(pcall(json.encode, { deep = ordered("f", print) }))

-- With state and control, as pairs has them; the marker still counts.
local proxy = setmetatable({}, { __jsontype = "array", __pairs = function(t) return next, {}, nil end })
print(json.encode(proxy))
local counted = setmetatable({}, { __pairs = function(t)
  return function(limit, i) if i < limit then return i + 1, i * 10 end end, 3, 0
end })
print(json.encode(counted))

-- Its errors are the caller's to see, and leave nothing behind.
local broken = setmetatable({}, { __pairs = function() error("broken", 0) end })
print(pcall(json.encode, { 1, { broken } }))
print(pcall(json.encode, setmetatable({}, { __pairs = function() return function() error({ code = 7 }) end end })) == false)
print(pcall(json.encode, setmetatable({}, { __pairs = 5 })))
print(pcall(json.encode, setmetatable({}, { __pairs = function() end })))
print(pcall(json.encode, ordered(0/0, 1)))
-- It cannot yield.
local co = coroutine.create(function() return json.encode(setmetatable({}, { __pairs = coroutine.yield })) end)
print(coroutine.resume(co))

-- Cycles through it are seen as well.
local loop
loop = setmetatable({}, { __pairs = function() return next, { loop = loop }, nil end })
print(pcall(json.encode, loop))
-- A new table at each step never is one; then depth ends it.
local function endless() return setmetatable({}, { __pairs = function() return next, { x = endless() }, nil end }) end
print(#select(2, pcall(json.encode, endless(), { depth = 5 })) > 0)

-- encode within encode.
local inner = setmetatable({}, { __pairs = function() return next, { text = json.encode { 1, { a = 2 } } }, nil end })
print(json.encode { inner, inner })
local function deep(n)
  if n == 0 then return "end" end
  return json.encode(setmetatable({}, { __pairs = function() return next, { #deep(n - 1) }, nil end }))
end
print(deep(20))
print(pcall(deep, 500) == false)

-- External tables are written like others, in their order.
local t = ext.table("shop")
t.open, t.items, t.more = true, { { n = 1.0 }, {} }, ext.table("more")
ext.table("more")[1] = "one"
ext.table("more")[2] = "two"
print(json.encode(t))
print(json.encode(ext.table("none")), json.encode(ext.table("more")))
ext.table("more").x = 1
print(pcall(json.encode, t))
local self = ext.table("self")
self.me = self
print(pcall(json.encode, self))
-- And what was decoded can be kept in one.
self.me, self.config = nil, json.decode '{"a":[1,2.5,"x"]}'
print(json.encode(self))
