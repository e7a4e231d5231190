--- pass
--- {"deep":[[[1]],{}],"empty":{"list":[],"object":{}},"n":null,"name":"Ada","tags":["a","b"]}
--- {
---   "deep": [
---     [
---       [
---         1
---       ]
---     ],
---     {}
---   ],
---   "empty": {
---     "list": [],
---     "object": {}
---   },
---   "n": null,
---   "name": "Ada",
---   "tags": [
---     "a",
---     "b"
---   ]
--- }
--- [
--- <tab>1,
--- <tab>{
--- <tab><tab>"a": 2
--- <tab>}
--- ]
--- [
---  1
--- ]	[
---                 1
--- ]
--- [1,2]	[1,2]	[1,2]
--- 1	{}	[]
--- true
--- {"":7,"Z":3,"a":2,"a\u0000":5,"a\u0000b":6,"aa":8,"b":1,"é":4}
--- {"a":2,"b":1}
--- 13
--- 256	true
--- json: cannot encode tables nested deeper than option 'depth' allows (at [1][1])
--- json: cannot encode tables nested deeper than option 'depth' allows (at .a.b)
--- 400	true	true
--- 5	[1]
--- false	bad argument #2 to 'json.encode' (option 'indent' must be an integer from 0 to 16 or a string of up to 16 blanks and tabs)
--- false	bad argument #2 to 'json.encode' (option 'indent' must be an integer from 0 to 16 or a string of up to 16 blanks and tabs)
--- false	bad argument #2 to 'json.encode' (option 'indent' must be an integer from 0 to 16 or a string of up to 16 blanks and tabs)
--- false	bad argument #2 to 'json.encode' (option 'indent' must be an integer from 0 to 16 or a string of up to 16 blanks and tabs)
--- false	bad argument #2 to 'json.encode' (option 'indent' must be an integer from 0 to 16 or a string of up to 16 blanks and tabs)
--- false	bad argument #2 to 'json.encode' (option 'indent' must be an integer from 0 to 16 or a string of up to 16 blanks and tabs)
--- false	bad argument #2 to 'json.encode' (option 'indent' must be an integer from 0 to 16 or a string of up to 16 blanks and tabs)
--- false	bad argument #2 to 'json.encode' (option 'sort_keys' must be a boolean)
--- false	bad argument #2 to 'json.encode' (option 'sort_keys' must be a boolean)
--- false	bad argument #2 to 'json.encode' (option 'depth' must be an integer from 1 to 200)
--- false	bad argument #2 to 'json.encode' (option 'depth' must be an integer from 1 to 200)
--- false	bad argument #2 to 'json.encode' (option 'depth' must be an integer from 1 to 200)
--- false	bad argument #2 to 'json.encode' (unknown option 'indnet')
--- false	bad argument #2 to 'json.encode' (unknown option '1')
--- false	bad argument #2 to 'json.encode' (unknown option 'true')
--- false	bad argument #2 to 'json.encode' (table expected, got number)
--- true	true	1
--- {}
---
local json = require "json"

local value = {
  name = "Ada", tags = { "a", "b" }, empty = { list = json.array(), object = json.object() }, deep = { { { 1 } }, {} }, n = json.null,
}
print(json.encode(value, { sort_keys = true }))
print(json.encode(value, { sort_keys = true, indent = 2 }))
print((json.encode({ 1, { a = 2 } }, { indent = "\t" }):gsub("\t", "<tab>")))
print(json.encode({ 1 }, { indent = 1 }), json.encode({ 1 }, { indent = 16 }))
print(json.encode({ 1, 2 }, { indent = 0 }), json.encode({ 1, 2 }, { indent = "" }), json.encode({ 1, 2 }, {}))
print(json.encode(1, { indent = 4 }), json.encode({}, { indent = 4 }), json.encode(json.array(), { indent = 4 }))
-- What is written with indentation is the same value.
local again = json.decode(json.encode(value, { indent = 3 }))
print(json.encode(again, { sort_keys = true }) == json.encode(value, { sort_keys = true }))

-- Sorted: the order of Lua's < on strings.
print(json.encode({ b = 1, a = 2, Z = 3, ["é"] = 4, ["a\0"] = 5, ["a\0b"] = 6, [""] = 7, aa = 8 }, { sort_keys = true }))
-- The library's own sort, whatever a script does to `table`.
local sort = table.sort
table.sort = function() error("not me") end
print(json.encode({ b = 1, a = 2 }, { sort_keys = true }))
table.sort = sort
print(#json.encode({ b = 1, a = 2 }, { sort_keys = false }))

-- Depth.
local function nest(n) local t = {} for _ = 2, n do t = { t } end return t end
print(#json.encode(nest(128)), pcall(json.encode, nest(129)) == false)
print((select(2, pcall(json.encode, nest(3), { depth = 2 }))))
print((select(2, pcall(json.encode, { a = { b = {} } }, { depth = 2 }))))
print(#json.encode(nest(200), { depth = 200 }), pcall(json.encode, nest(201), { depth = 200 }) == false, pcall(json.encode, nest(10000)) == false)
print(json.encode(5, { depth = 1 }), json.encode({ 1 }, { depth = 1 }))

-- Options that are none.
for _, options in ipairs {
  { indent = -1 }, { indent = 17 }, { indent = 1.5 }, { indent = "x" }, { indent = "\n" }, { indent = (" "):rep(17) }, { indent = true },
  { sort_keys = 1 }, { sort_keys = "yes" }, { depth = 0 }, { depth = 201 }, { depth = "5" }, { indnet = 2 }, { 2 }, { [true] = 1 },
} do
  print(pcall(json.encode, {}, options))
end
print(pcall(json.encode, {}, 2))
print(pcall(json.encode, {}, nil), pcall(json.encode, 1, { indent = 2.0 }))
print(json.encode({}, { indent = (" "):rep(16) }))
