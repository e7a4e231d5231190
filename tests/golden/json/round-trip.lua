--- pass
--- 1500
--- 0
---
-- Random values, there and back, from a seed: nothing may change.
local json = require "json"
math.randomseed(20240607)

local function float()
  while true do
    local x = string.unpack("<d", string.pack("<i8", math.random(0)))
    if x == x and x ~= math.huge and x ~= -math.huge then return x end
  end
end
local function text()
  local n, parts = math.random(0, 12), {}
  for i = 1, n do
    local code = math.random(0, ({ 0x7F, 0x7FF, 0xFFFF, 0x10FFFF, 0x1F })[math.random(5)])
    if code >= 0xD800 and code <= 0xDFFF then code = 0x22 end
    parts[i] = utf8.char(code)
  end
  return table.concat(parts)
end
local function value(depth)
  local kind = math.random(depth > 0 and 9 or 7)
  if kind == 1 then return json.null
  elseif kind == 2 then return math.random(2) == 1
  elseif kind == 3 then return math.random(0)
  elseif kind == 4 then return math.random(-100, 100)
  elseif kind == 5 then return float()
  elseif kind == 6 then return math.random(-100, 100) / 8
  elseif kind == 7 then return text()
  elseif kind == 8 then
    local list = json.array()
    for i = 1, math.random(0, 5) do list[i] = value(depth - 1) end
    return list
  else
    local object = json.object()
    for _ = 1, math.random(0, 5) do object[text()] = value(depth - 1) end
    return object
  end
end

local function same(a, b)
  if type(a) ~= type(b) or math.type(a) ~= math.type(b) then return false end
  if type(a) == "number" then return string.pack("n", a) == string.pack("n", b) end
  if type(a) ~= "table" then return a == b end
  if getmetatable(a) ~= getmetatable(b) then return false end
  for k, v in pairs(a) do if not same(v, b[k]) then return false end end
  for k in pairs(b) do if a[k] == nil then return false end end
  return true
end

local indents = { 0, 1, 2, 8, "\t", " \t " }
local count = 0
for round = 1, 1500 do
  local v = value(5)
  local options = { sort_keys = math.random(2) == 1, indent = indents[math.random(#indents)] }
  local written = json.encode(v, options)
  local back = json.decode(written)
  if not same(v, back) then
    print("changed:", written)
    break
  end
  -- The same text, whatever the order in which the tables were made.
  assert(json.encode(v, { sort_keys = true }) == json.encode(back, { sort_keys = true }))
  count = count + 1
end
print(count)

-- Floats of any bits.
for _ = 1, 5000 do
  local x = float()
  local written = json.encode(x)
  local back = json.decode(written)
  if math.type(back) ~= "float" or string.pack("n", x) ~= string.pack("n", back) then print("changed:", ("%a"):format(x), written) end
  if #written > 24 then print("long:", written) end
end
-- And texts are as short as they can be: fewer digits do not read back.
local longer = 0
for _ = 1, 2000 do
  local x = math.random(1, 999999) / 10 ^ math.random(0, 6)
  local written = json.encode(x)
  for digits = 1, 17 do
    if tonumber(("%." .. digits .. "g"):format(x)) == x then
      local count = #(written:gsub("e.*", ""):gsub("[^0-9]", ""):gsub("^0+", ""):gsub("0+$", ""))
      if count > digits then longer = longer + 1 end
      break
    end
  end
end
print(longer)
