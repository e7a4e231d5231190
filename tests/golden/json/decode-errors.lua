--- pass
--- false	json: value expected at line 1, column 1
--- false	json: value expected at line 1, column 4
--- false	json: value expected at line 3, column 1
--- false	json: value expected at line 1, column 1
--- false	json: value expected at line 1, column 2
--- false	json: ',' or ']' expected at line 1, column 3
--- false	json: value expected at line 1, column 4
--- false	json: value expected at line 1, column 4
--- false	json: value expected at line 1, column 2
--- false	json: ',' or ']' expected at line 1, column 4
--- false	json: value expected at line 1, column 4
--- false	json: ',' or ']' expected at line 1, column 3
--- false	json: ',' or ']' expected at line 1, column 3
--- false	json: key (a string) expected at line 1, column 2
--- false	json: end of text expected after the value at line 1, column 3
--- false	json: key (a string) expected at line 1, column 2
--- false	json: ':' expected at line 1, column 5
--- false	json: ':' expected at line 1, column 6
--- false	json: value expected at line 1, column 6
--- false	json: ',' or '}' expected at line 1, column 7
--- false	json: key (a string) expected at line 1, column 8
--- false	json: key (a string) expected at line 1, column 8
--- false	json: ',' or '}' expected at line 1, column 8
--- false	json: ',' or '}' expected at line 1, column 7
--- false	json: ':' expected at line 1, column 5
--- false	json: key (a string) expected at line 1, column 2
--- false	json: key (a string) expected at line 1, column 2
--- false	json: key (a string) expected at line 1, column 2
--- false	json: key (a string) expected at line 1, column 8
--- false	json: key (a string) expected at line 1, column 2
--- false	json: value expected at line 1, column 6
--- false	json: value expected at line 1, column 1
--- false	json: end of text expected after the value at line 1, column 5
--- false	json: value expected at line 1, column 1
--- false	json: end of text expected after the value at line 1, column 5
--- false	json: value expected at line 1, column 1
--- false	json: end of text expected after the value at line 1, column 5
--- false	json: end of text expected after the value at line 1, column 4
--- false	json: end of text expected after the value at line 1, column 3
--- false	json: value expected at line 1, column 1
--- false	json: value expected at line 3, column 3
--- false	json: value expected at line 3, column 21
--- false	json: value expected at line 1, column 17
--- false	json: value expected at line 3, column 1
--- false	json: control character in a string at line 1, column 4
--- false	json: unfinished string at line 3, column 3
--- false	json: invalid escape at line 2, column 2
--- false	golden:110: json: value expected at line 1, column 2
--- golden:113: json: key (a string) expected at line 1, column 2
--- false	json: value expected at line 1, column 2
--- 2
---
local json = require "json"

-- Line and column are of the character that does not fit; columns count characters.
local function show(text)
  local ok, message = pcall(json.decode, text)
  print(ok, message)
end
show ""
show "   "
show "\n\n"
show "]"
show "["
show "[1"
show "[1,"
show "[1,]"
show "[,1]"
show "[1 2]"
show "[1,,2]"
show "[1}"
show "[1:2]"
show "{"
show "{}}"
show "{,}"
show '{"a"}'
show '{"a" 1}'
show '{"a":}'
show '{"a":1'
show '{"a":1,'
show '{"a":1,}'
show '{"a":1 "b":2}'
show '{"a":1]'
show '{"a",1}'
show '{a:1}'
show '{1:1}'
show "{'a':1}"
show '{"a":1,2}'
show '{null:1}'
show '{"a"::1}'
show "nul"
show "nulll"
show "True"
show "truefalse"
show "undefined"
show "[1] 2"
show "[1],"
show "1 // one"
show "/* one */ 1"
show "[1, 2, 3\n,\n  oops]"
show '{\n  "a": 1,\n  "b": [1, 2, {"c": tru}]\n}'
show '{"é": "ü", "x": ?}'
show "[1,\r\n2,\r\n;]"
show '["a\nb"]'
show '\n\n  "open'
show '[\n"\\q"]'

-- The position in front is the caller's.
local function inner(text) return json.decode(text) end
print(pcall(inner, "[oops]"))
print(select(2, pcall(function()
  local value = json.decode("{")
  return value
end)))
-- From C there is none.
print(pcall(json.decode, "[oops]"))
-- An error leaves nothing behind.
for _ = 1, 10000 do pcall(json.decode, '[[[{"a":[1,2,{"b":"\\n' .. ("x"):rep(100)) end
print(#json.decode("[1,2]"))
