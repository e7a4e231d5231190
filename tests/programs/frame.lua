-- What every random program begins with: a log that is the same on every machine, values that answer to every
-- metamethod, and bounds for numbers that a program makes up. No address is ever shown, and no sign of NaN.
local lines, sum = 0, 0

-- The text of a value: integers and floats apart, tables by what they hold.
local function show(value, inner)
  local kind = math.type(value) or type(value)
  if kind == "integer" then
    return string.format("%d", value)
  elseif kind == "float" then
    return value ~= value and "nan" or string.format("%.17g", value)
  elseif kind == "string" then
    if value:find("nan", 1, true) then return "nan" end
    return '"' .. value:gsub("[^ -~]", function(byte) return string.format("\\%d", byte:byte()) end) .. '"'
  elseif kind ~= "table" then
    return kind == "boolean" and tostring(value) or kind
  elseif inner then
    return "{}"
  end
  local parts = {}
  for place = 1, math.min(rawlen(value), 8) do
    parts[#parts + 1] = show(rawget(value, place), true)
  end
  for _, name in ipairs { "name", "v", "w", "x", "y", "z" } do
    local field = rawget(value, name)
    if field ~= nil then parts[#parts + 1] = name .. "=" .. show(field, true) end
  end
  return "{" .. rawlen(value) .. ":" .. table.concat(parts, ",") .. "}"
end

local function mix(text)
  for place = 1, #text, 1 + #text // 16 do sum = sum * 31 + text:byte(place) end
end

-- Writes values to the log, while it is short, and takes them into the sum.
local function log(...)
  local parts = table.pack(...)
  for place = 1, parts.n do parts[place] = show(parts[place]) end
  local line = table.concat(parts, " ")
  mix(line)
  lines = lines + 1
  if lines <= 400 then print(line) end
end

-- Takes one value into the sum.
local function note(value)
  if math.type(value) == "integer" then
    sum = sum * 31 + value
  else
    mix(show(value))
  end
end

-- A bound of a loop: what is no number stays what it is.
local function bound(value)
  if not math.type(value) then return value end
  return value > 25 and 25 or value < -25 and -25 or value
end

-- A string that cannot grow without end, and shows no sign of NaN: what is no string stays what it is.
local function cut(value)
  if type(value) ~= "string" then return value end
  if value:find("nan", 1, true) then return "nan" end
  return #value <= 48 and value or value:sub(1, 20) .. value:sub(-20)
end

-- A table whose entries are in the same order everywhere: none with a key that is hashed by its address. What is no
-- table stays what it is.
local function keyed(value)
  if type(value) ~= "table" then return value end
  local plain = true
  for key in next, value do
    if type(key) == "table" or type(key) == "function" then plain = false end
  end
  return plain and value or { 3, 2, 1 }
end

-- The text of a value in which no address can be.
local function text(value)
  local kind = type(value)
  return (kind == "number" or kind == "string") and cut(tostring(value)) or kind
end

-- Values that answer to every operator. Those of `Slow` yield inside of the metamethod where that is possible.
local Quick, Slow = {}, {}
for _, class in ipairs { Quick, Slow } do
  local function plain(value)
    if type(value) == "table" then return rawget(value, "v") end
    return math.type(value) and value or tonumber(value) or 1
  end
  local function make(value)
    return setmetatable({ v = value }, class)
  end
  local function answer(name, compute)
    class[name] = function(a, b)
      if class == Slow and coroutine.isyieldable() then coroutine.yield(name) end
      return compute(plain(a), plain(b))
    end
  end
  class.make = make
  answer("__add", function(a, b) return make(a + b) end)
  answer("__sub", function(a, b) return make(a - b) end)
  answer("__mul", function(a, b) return make(a * b) end)
  answer("__div", function(a, b) return a / b end)
  answer("__mod", function(a, b) return a % b end)
  answer("__idiv", function(a, b) return a // b end)
  answer("__pow", function(a) return a, a end)
  answer("__unm", function(a) return make(-a) end)
  answer("__band", function(a, b) return a & b end)
  answer("__bor", function(a, b) return make(a | b) end)
  answer("__bxor", function(a, b) return a ~ b end)
  answer("__shl", function(a, b) return a << b end)
  answer("__shr", function(a, b) return a >> b end)
  answer("__bnot", function(a) return ~a end)
  answer("__concat", function(a, b) return cut(text(a) .. ":" .. text(b)) end)
  answer("__len", function(a) return math.type(a) == "integer" and a & 15 or 3 end)
  answer("__eq", function(a, b) return a == b end)
  answer("__lt", function(a, b) return a < b end)
  answer("__le", function(a, b) return a <= b and "yes" end)
  answer("__close", function(a) note(a) end)
  function class.__call(self, a, b)
    if class == Slow and coroutine.isyieldable() then a = coroutine.yield("__call") or a end
    return plain(self), a, b
  end
  function class.__index(self, key)
    if class == Slow and coroutine.isyieldable() then coroutine.yield("__index") end
    return class[key] or math.type(key) and plain(self)
  end
  function class.__newindex(self, key, value)
    if class == Slow and coroutine.isyieldable() then coroutine.yield("__newindex") end
    rawset(self, "v", math.type(value) and value or #text(value))
  end
  function class:get(more)
    return plain(self), more
  end
end

-- A value to be closed, which says so; with a message, it then raises it.
local function closer(name, message)
  return setmetatable({}, {
    __close = function(_, err)
      log("close", name, err)
      if coroutine.isyieldable() and name % 3 == 0 then log("woken", coroutine.yield(name)) end
      if message then error(message, 2) end
    end,
  })
end
