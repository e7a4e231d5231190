--- pass
--- texts	1086271597
--- changed	2335398602	2931
--- values	558673420	1508
---
-- Thousands of texts and values, as the first implementation took them, which called Lua's API for each value: all
-- results and messages go into one sum for each kind.
local json = require "json"

local state = 42
local function random(n)
  state = (state * 1103515245 + 12345) & 0x7fffffff
  return (state >> 8) % n + 1
end
local sum
local function add(text)
  for i = 1, #text do sum = (sum * 31 + text:byte(i)) & 0xffffffff end
end
local function note(...)
  for i = 1, select("#", ...) do add(tostring((select(i, ...)))) end
end

local function show(value)
  if type(value) ~= "table" then
    if math.type(value) == "float" then return ("%.17g f"):format(value) end
    return value == json.null and "null" or type(value) == "string" and ("%q"):format(value) or tostring(value)
  end
  local parts = {}
  local mark = getmetatable(value).__jsontype
  if mark == "array" then
    for i, v in ipairs(value) do parts[i] = show(v) end
  else
    local keys = {}
    for key in pairs(value) do keys[#keys + 1] = key end
    table.sort(keys)
    for i, key in ipairs(keys) do parts[i] = ("%q"):format(key) .. "=" .. show(value[key]) end
  end
  return mark .. "{" .. table.concat(parts, ",") .. "}"
end

local function pick(list) return list[random(#list)] end
local strings = { '""', '"a"', '"abcdefg"', '"abcdefgh"', '"0123456789abcdef"', '"tab\\t\\u0041"', '"é€😀"', '"\\ud83d\\ude00x"',
  '"' .. ("long "):rep(60) .. '"', '"' .. ("\\n\\"):rep(70) .. '\\"', '"a\\/b\\b\\f\\r"', '"\127"', '"name"', '"id"' }
local numbers = { "0", "-0", "1", "-1", "12", "123456789012345678", "1234567890123456789", "9223372036854775807",
  "-9223372036854775808", "9223372036854775808", "0.1", "-0.0", "1.5", "9.99", "123456.789", "0.30000000000000004", "1e2", "1E-7",
  "9007199254740992.0", "9007199254740993.0", "0.1234567890123456", "0.12345678901234567", "12345678901234567.5", "5e-324", "1.7976931348623157e308",
  "100000000000000000000000000000", "0.000000000000000001", "72057594037927945.0", "4.35", "2.675" }
local blanks = { "", "", "", " ", "\n", "\t \r\n" }
local function text_of(depth)
  local kind = random(depth > 5 and 3 or 5)
  local b = pick(blanks)
  if kind == 1 then return b .. pick(strings) .. b end
  if kind == 2 then return b .. pick(numbers) .. b end
  if kind == 3 then return b .. pick { "true", "false", "null", "[]", "{}", "[ ]", "{\n}" } .. b end
  local parts = {}
  for i = 1, random(6) - 1 do
    parts[i] = kind == 4 and text_of(depth + 1) or b .. pick(strings) .. b .. ":" .. text_of(depth + 1)
  end
  return b .. (kind == 4 and "[" or "{") .. table.concat(parts, ",") .. (kind == 4 and "]" or "}") .. b
end

-- Texts that are right.
sum = 0
for _ = 1, 1500 do
  local text = text_of(1)
  local value = json.decode(text)
  note(show(value), json.encode(value, { sort_keys = true }), json.encode(value, { sort_keys = true, indent = random(4) }))
end
print("texts", sum)

-- Texts with a byte changed, left out or put in; texts that end early.
sum = 0
local bytes = '{}[]",:\\u0 -+.eEtfn1\n\0\1\31\127\195\169\255xd8'
local refused = 0
for _ = 1, 4000 do
  local text = text_of(1)
  for _ = 1, random(2) do
    local at, how, i = random(#text), random(4), random(#bytes)
    if how == 1 then text = text:sub(1, at) end
    if how == 2 then text = text:sub(1, at - 1) .. text:sub(at + 1) end
    if how == 3 then text = text:sub(1, at - 1) .. bytes:sub(i, i) .. text:sub(at + 1) end
    if how == 4 then text = text:sub(1, at) .. bytes:sub(i, i) .. text:sub(at + 1) end
    if text == "" then text = "0" end
  end
  local ok, value = pcall(json.decode, text)
  note(ok, ok and show(value) or value)
  refused = refused + (ok and 0 or 1)
end
print("changed", sum, refused)

-- Values, with what cannot be encoded among them.
sum, refused = 0, 0
local cycle = {}
cycle[1] = { cycle }
local scalars = { 0, -1, 1.5, 1e100, math.maxinteger, math.mininteger, 0.1, -0.0, 123456789, "", "text", "quote\"\\\n\0", "é€", ("x"):rep(300),
  true, false, json.null, "0123456789abcde\n", "\128", print, 0 / 0, 1 / 0, cycle, "a b c d e f g h i j k l m n o p" }
local keys = { "a", "b", "name", "key with \"quotes\"", "é", ("k"):rep(50), "\255", 1.5, true }
local function value_of(depth)
  local kind = random(depth > 4 and 1 or 4)
  if kind <= 1 then return scalars[random(#scalars - (random(5) > 1 and 6 or 0))] end
  local t = {}
  if kind == 2 then
    for i = 1, random(7) - 1 do t[i] = value_of(depth + 1) end
    if random(20) == 1 then t[random(12)] = 1 end
  else
    for _ = 1, random(5) - 1 do t[keys[random(#keys - (random(9) > 1 and 3 or 0))]] = value_of(depth + 1) end
    if random(30) == 1 then t[1] = 1 end
  end
  local mark = random(6)
  return mark == 1 and json.array(t) or mark == 2 and json.object(t) or t
end
for _ = 1, 3000 do
  local value = value_of(1)
  local ok, text = pcall(json.encode, value, { sort_keys = true, indent = random(10) == 1 and 2 or nil, depth = random(20) == 1 and 2 or nil })
  -- Which of several faults of an object is told depends on the order of its keys, which each VM has its own of.
  note(ok, ok and text)
  refused = refused + (ok and 0 or 1)
end
print("values", sum, refused)
