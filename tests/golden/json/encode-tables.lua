--- pass
--- [1,2,3]	["a"]	{"a":1}	{"a":{"b":{"c":1}}}	[[1],{"a":2}]
--- ["x","y"]	["x","y"]	[null,null]
--- {"":5,"10":3,"2":4,"B":6,"a":2,"b":1}
--- {}	[{}]	{"a":{}}
--- []	[]	{}	{}	{"list":[]}
--- [1,2]	{"a":1}
--- []	{}
--- {}	[1]
--- [[],{},[{}],{"a":[]}]
--- true	true
--- array	object
--- {}	[]	[]
--- false	bad argument #1 to 'json.array' (table has a metatable already)
--- false	bad argument #1 to 'json.object' (table has a metatable already)
--- false	bad argument #1 to 'json.array' (table expected, got number)
--- false	bad argument #1 to 'json.object' (table expected, got string)
--- false	bad argument #1 to 'json.array' (table has a metatable already)
--- false	bad argument #1 to 'json.array' (table has a metatable already)
--- json: cannot encode a table with both list and named keys
--- json: cannot encode a table with both list and named keys (at .user.tags[3])
--- json: cannot encode a list with holes
--- json: cannot encode a list with holes
--- json: cannot encode a list with holes
--- json: cannot encode a list with holes
--- json: cannot encode a list with holes
--- json: cannot encode a list with holes
--- json: cannot encode a table with a float as key
--- json: cannot encode a table with a boolean as key
--- json: cannot encode a table with a table as key (at .a)
--- json: cannot encode a table with a function as key (at [1])
--- json: cannot encode an array with named keys
--- json: cannot encode a list with holes (at .x)
--- json: cannot encode an object with integer keys
--- json: cannot encode a table with both list and named keys (at .y)
--- json: cannot encode a function (at ["not a name"][1])
--- json: cannot encode a function (at ["1a"]._a1["quo\"te"]["é"])
--- json: cannot encode a function (at .zz)
--- json: cannot encode a function (at [3][2][2][2])
--- json: cannot encode a cycle (a table inside itself) (at .me)
--- json: cannot encode a cycle (a table inside itself) (at .list[2].back)
--- json: cannot encode a cycle (a table inside itself) (at [1].back.list[2])
--- [[1],[1],[[1]]]
--- 48895	[1,2,3,4,5,6,7,8,9,1	,9999,10000]
--- 24894	{"k0001":1,"k0002":2,"k0003":3	k1999":1999,"k2000":2000}	24894
---
local json = require "json"
local function enc(value) return json.encode(value, { sort_keys = true }) end

-- Keys 1..n make a list, names make an object.
print(enc { 1, 2, 3 }, enc { "a" }, enc { a = 1 }, enc { a = { b = { c = 1 } } }, enc { { 1 }, { a = 2 } })
print(enc { [1] = "x", [2] = "y" }, enc { [2.0] = "y", [1.0] = "x" }, enc { json.null, json.null })
print(enc { b = 1, a = 2, ["10"] = 3, ["2"] = 4, [""] = 5, B = 6 })

-- An empty table is an object, unless it is marked.
print(enc {}, enc { {} }, enc { a = {} })
print(enc(json.array()), enc(json.array {}), enc(json.object()), enc(json.object {}), enc { list = json.array() })
print(enc(json.array { 1, 2 }), enc(json.object { a = 1 }))
print(enc(setmetatable({}, { __jsontype = "array" })), enc(setmetatable({}, { __jsontype = "object" })))
print(enc(setmetatable({}, { __jsontype = 1 })), enc(setmetatable({ 1 }, { __jsontype = "other" })))
print(enc(json.decode '[[],{},[{}],{"a":[]}]'))

-- The markers.
local list, object = {}, {}
print(json.array(list) == list, json.object(object) == object)
print(getmetatable(list).__jsontype, getmetatable(object).__jsontype)
print(enc(json.object(list)), enc(json.array(object)), enc(json.array(json.decode "{}")))
print(pcall(json.array, setmetatable({}, {})))
print(pcall(json.object, setmetatable({}, { __jsontype = "object" })))
print(pcall(json.array, 1))
print(pcall(json.object, "x"))
print(pcall(json.array, ext.table("t")))
print(pcall(json.array, setmetatable({}, { __metatable = false })))

-- What is neither is refused, and the path says where.
local function refuse(value) print((select(2, pcall(json.encode, value, { sort_keys = true })))) end
refuse { 1, 2, a = 3 }
refuse { user = { tags = { "a", "b", { 1, x = 2 } } } }
refuse { 1, nil, 3 }
refuse { [0] = 1 }
refuse { [-1] = 1 }
refuse { [2] = 1 }
refuse { [math.maxinteger] = 1 }
refuse { [math.mininteger] = 1 }
refuse { [1.5] = 1 }
refuse { [true] = 1 }
refuse { a = { [{}] = 1 } }
refuse { { [print] = 1 } }
refuse(json.array { a = 1 })
refuse { x = json.array { 1, nil, 3 } }
refuse(json.object { 1 })
refuse { y = json.object { 1, a = 1 } }
refuse { ["not a name"] = { print } }
refuse { ["1a"] = { _a1 = { ["quo\"te"] = { ["é"] = print } } } }
refuse { ok = 1, zz = print }
refuse { 1, 2, { 3, { 4, { 5, print } } } }

-- Cycles are seen, shared tables are written twice.
local me = {}
me.me = me
refuse(me)
local a, b = {}, {}
a.list, b.back = { 1, b }, a
refuse(a)
refuse { b }
local shared = { 1 }
print(enc { shared, shared, { shared } })

-- A list may be changed by nobody while it is written, so what is there is what is written.
local big = {}
for i = 1, 10000 do big[i] = i end
print(#json.encode(big), json.encode(big):sub(1, 20), json.encode(big):sub(-12))
local wide = {}
for i = 1, 2000 do wide[("k%04d"):format(i)] = i end
print(#enc(wide), enc(wide):sub(1, 30), enc(wide):sub(-25), #json.encode(wide))
