--- pass
--- 1	1.0	-0.0	9.007199254741e+15	-9223372036854775808	inf	9.9998886718268e-321
--- integer	float	true	false	true	100000
--- 1	3	false	false
--- 1	3
--- kept
--- true	0
--- true	true	true	true	true
--- 200
--- golden:51: value is nested more than 200 tables deep (at [1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1...[1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1])
--- false
--- golden:51: a function cannot be stored
--- golden:51: a function cannot be stored
--- golden:51: a thread cannot be stored
--- golden:51: a userdata cannot be stored
--- golden:51: a function cannot be stored (at [1][1])
--- golden:51: a function cannot be stored
--- golden:51: a thread cannot be stored (at .x.y)
--- golden:51: json.null cannot be stored
--- golden:51: json.null cannot be stored (at [2])
--- before
--- golden:51: a table with a metatable cannot be stored
--- golden:51: a table with a metatable cannot be stored
--- golden:51: a table with a metatable cannot be stored (at [2].a[1])
--- golden:51: a table with a metatable cannot be stored
--- golden:51: a table with a metatable cannot be stored
--- golden:51: a table with a metatable cannot be stored
--- false	nil
--- false	0
--- false	nil
--- before
--- 1	nil
--- 7	0	2	nil	array
--- []	[]
--- 1	nil
--- golden:51: a table with a metatable cannot be stored
--- golden:51: a table with a metatable cannot be stored
--- golden:51: a table with a metatable cannot be stored
--- true	true	true	true
--- true	true	true	true
--- through the reference	through the reference	through the reference
--- false	golden:146: external table was dropped or its store is closed
--- t
--- false	true	nil	t u
--- true
--- true
---
-- Values of external tables: what goes in comes out, by value; what would not is refused.
local json = require "json"
local t, u = ext.table("t"), ext.table("u")
local function store(v) t.v = v return t.v end
local function refused(v) print(select(2, pcall(store, v))) end

-- Scalars, to the bit.
print(store(1), store(1.0), store(-0.0), store(2 ^ 53), store(math.mininteger), store(1 / 0), store(1e-320))
print(math.type(store(3)), math.type(store(3.0)), store(0 / 0) ~= t.v, store(false), store("a\0b\xFF") == "a\0b\xFF", #store(("x"):rep(100000)))

-- Tables are copies, both ways.
local list = { 1, 2, { 3 } }
t.list = list
list[1], list[3][1] = "changed", "changed"
print(t.list[1], t.list[3][1], t.list == t.list, rawequal(t.list, list))
t.list[1] = "lost"
table.insert(t.list, "lost")
print(t.list[1], #t.list)
local copy = t.list
copy[1] = "kept"
t.list = copy
print(t.list[1])
-- Every kind of key, holes, both parts.
local odd = { 1, nil, 3, nil, 5, x = 1, [0] = 0, [-1] = -1, [1.5] = "f", [true] = "b", [2 ^ 53] = "big", [""] = "empty" }
t.odd = odd
local same, n = true, 0
for k, v in pairs(odd) do n = n + 1 same = same and t.odd[k] == v end
for k in pairs(t.odd) do n = n - 1 same = same and odd[k] ~= nil end
print(same, n)
-- Shared and cyclic ones keep their shape within one value.
local shared = { "shared" }
local cyclic = { shared, shared, inner = {} }
cyclic.self, cyclic.inner.up = cyclic, cyclic
local back = store(cyclic)
print(back[1] == back[2], back.self == back, back.inner.up == back, back ~= cyclic, t.v[1] ~= back[1])
-- Nested as deep as may be, and deeper.
local function nest(depth) local v = {} for _ = 2, depth do v = { v } end return v end
local depth, at = 0, store(nest(200))
while at do depth, at = depth + 1, at[1] end
print(depth)
refused(nest(201))
local ring = {}
ring[1] = ring
print(store(ring)[1][1][1] == t.v)

-- What cannot be stored, also deep inside, and nothing is changed.
t.v = "before"
refused(print)
refused(function() end)
refused(coroutine.create(print))
refused(io.stdout)
refused({ { print } })
refused({ [print] = 1 })
refused({ x = { y = { [coroutine.create(print)] = 1 } } })
refused(json.null)
refused(json.decode '[1, null]')
print(t.v)

-- A metatable would be lost, so it is refused, wherever it is.
refused(setmetatable({}, {}))
refused(setmetatable({ x = 1 }, { __index = { y = 2 } }))
refused({ 1, { a = { setmetatable({}, { __tostring = function() return "never asked" end }) } } })
refused({ [setmetatable({}, {})] = 1 })
refused(setmetatable({}, { __metatable = false }))
refused(setmetatable({}, { __mode = "k" }))
local Account = {}
Account.__index = Account
print(pcall(function() t.account = setmetatable({ balance = 1 }, Account) end), t.account)
print(pcall(table.insert, t, setmetatable({}, Account)), #t)
print(pcall(ext.transaction, function() t.x = 1 t.y = { setmetatable({}, Account) } end), t.x)
print(t.v)
-- Its fields alone are no object.
local plain = {}
for k, v in pairs(setmetatable({ balance = 1 }, Account)) do plain[k] = v end
t.account = plain
print(t.account.balance, getmetatable(t.account))
-- The marks of JSON are an exception: they go, and the contents stay.
t.json = json.decode '{"id": 7, "tags": [], "nested": {"list": [1, [2]], "empty": {}}}'
print(t.json.id, #t.json.tags, t.json.nested.list[2][1], getmetatable(t.json), getmetatable(t.json.tags).__jsontype)
print(json.encode(t.json.tags), json.encode(json.array(t.json.tags)))
t.json = json.array()
t.json = { json.object(), json.array { 1 } }
print(t.json[2][1], getmetatable(t.json[1]))
store(setmetatable({}, { __jsontype = "object" }))
-- But not together with anything else.
refused(setmetatable({}, { __jsontype = "object", __index = error }))
refused(setmetatable({}, { __jsontype = "table" }))
refused(setmetatable({}, { __jsontype = true }))

-- External tables are references, alone and inside.
t.u, t.self = u, t
print(t.u == u, t.self == t, t.self.self.self == t, t.u == ext.table("u"))
t.many = { u, { t, key = u }, u }
print(t.many[1] == u, t.many[2][1] == t, t.many[2].key == u, t.many[3] == t.many[1])
t.u.x = "through the reference"
print(u.x, t.many[1].x, t.self.u.x)
-- By name: a table that was dropped is made anew by whoever reads one.
ext.drop("u")
print(pcall(function() return u.x end))
print(table.concat(ext.tables(), " "))
local again = t.u
print(again == u, again == ext.table("u"), again.x, table.concat(ext.tables(), " "))
-- A proxy of one that was dropped still has its name.
t.old = u
print(t.old == again)
-- Deep inside many others.
local deep = { key = again }
for _ = 1, 150 do deep = { [1] = 1, key = deep } end
t.deep = deep
local found = t.deep
while type(found) == "table" and found.key and rawlen(found) == 1 do found = found.key end
print(found.key == again)
