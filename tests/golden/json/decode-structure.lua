--- pass
--- true	false	true	x	1
--- 5	1	2.0	three	true	false	true	5
--- 1	1	0
--- nil	nil
--- object	array	array	array	object
--- true	true
--- false
--- 4	true	true	true	false
--- userdata	true
--- 4	2
--- 2
--- 1	1
--- 12	integer
--- 20000	7	7	8
--- 2001000	1	2000
--- false	bad argument #1 to 'json.decode' (string expected, got no value)
--- false	bad argument #1 to 'json.decode' (string expected, got nil)
--- false	bad argument #1 to 'json.decode' (string expected, got table)
--- false	bad argument #2 to 'json.decode' (table expected, got number)
--- false	bad argument #2 to 'json.decode' (unknown option 'depht')
--- false	bad argument #2 to 'json.decode' (unknown option '1')
--- true	1
---
local json = require "json"

-- Scalars are whole texts.
print(json.decode("true"), json.decode(" false "), json.decode("null") == json.null, json.decode('"x"'), json.decode("\t\r\n 1 \n"))

-- Lists, objects, and what is in them.
local t = json.decode [==[
{
  "list": [1, 2.0, "three", [true, false, null], {"five": 5}],
  "nested": {"a": {"b": {"c": [[[]]]}}},
  "empty": {"list": [], "object": {}}
}]==]
print(#t.list, t.list[1], t.list[2], t.list[3], t.list[4][1], t.list[4][2], t.list[4][3] == json.null, t.list[5].five)
print(#t.nested.a.b.c, #t.nested.a.b.c[1], #t.nested.a.b.c[1][1])
print(next(t.empty.list), next(t.empty.object))

-- Arrays and objects stay apart, also empty ones.
local function kind(v) return getmetatable(v).__jsontype end
print(kind(t), kind(t.list), kind(t.list[4]), kind(t.empty.list), kind(t.empty.object))
print(getmetatable(t.list) == getmetatable(json.decode("[]")), getmetatable(t) == getmetatable(json.decode("{}")))
print(getmetatable(t) == getmetatable(t.list))

-- null is a value: it keeps its place in a list, and its key in an object.
local nulls = json.decode('[null, 1, null, {"a": null}]')
print(#nulls, nulls[1] == json.null, nulls[3] == json.null, nulls[4].a == json.null, nulls[1] == nil)
print(type(json.null), not not json.null)

-- Of keys that come twice the last wins.
local twice = json.decode '{"a": 1, "b": 2, "a": {"c": 3}, "a": 4}'
print(twice.a, twice.b)

-- Blanks anywhere, and none.
print(#json.decode(" \t\r\n[ \t\r\n1 \t\r\n, \t\r\n2 \t\r\n] \t\r\n"))
print(json.decode(' { "a" : 1 , "b" : [ ] } ').a, json.decode('{"a":1,"b":[]}').a)

-- A number is text, too, as everywhere in Lua.
print(json.decode(12), math.type(json.decode(12)))

-- Many values.
local many = json.decode("[" .. ("7,"):rep(19999) .. "8]")
print(#many, many[1], many[19999], many[20000])
local parts = {}
for i = 1, 2000 do parts[i] = ('"k%d":%d'):format(i, i) end
local wide = json.decode("{" .. table.concat(parts, ",") .. "}")
local sum = 0
for _, v in pairs(wide) do sum = sum + v end
print(sum, wide.k1, wide.k2000)

-- Arguments.
print(pcall(json.decode))
print(pcall(json.decode, nil))
print(pcall(json.decode, {}))
print(pcall(json.decode, "1", 2))
print(pcall(json.decode, "1", { depht = 2 }))
print(pcall(json.decode, "1", { [1] = 2 }))
print(pcall(json.decode, "1", nil))
