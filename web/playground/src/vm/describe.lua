-- Runs programs, and describes Lua values so that the page can show them with
-- Lua's own types: in JavaScript 1 and 1.0 are one number.
--
-- A description is a flat list: a word for the type, then what belongs to it
-- (shown.ts reads it). What is called here is kept in locals, so that a program
-- which overwrites a global changes nothing.

local load, next, type, getmetatable, tostring = load, next, type, getmetatable, tostring
local rawlen, rawget, rawequal, select = rawlen, rawget, rawequal, select
local number_type, floor, sort, format = math.type, math.floor, table.sort, string.format
local length, cut, character_start = string.len, string.sub, utf8.offset
local names_of_tables, open_table = ext.tables, ext.table

local NODES_MAX, ENTRIES_MAX, DEPTH_MAX, TEXT_BYTES_MAX = 4000, 200, 12, 2000

-- Which external table a value is: the same name always gives the same value.
local function external_name(value)
  local names = names_of_tables()
  for i = 1, #names do
    if rawequal(open_table(names[i]), value) then return names[i] end
  end
end

-- The keys of a table as one reads them: the sequence, then names, then the rest.
local function ordered_keys(t)
  local border, names, rest, count = rawlen(t), {}, {}, 0
  for key in next, t do
    count = count + 1
    if number_type(key) == "integer" and key >= 1 and key <= border then
      -- Part of the sequence.
    elseif type(key) == "string" then
      if #names < ENTRIES_MAX then names[#names + 1] = key end
    elseif #rest < ENTRIES_MAX then
      rest[#rest + 1] = key
    end
  end
  sort(names)
  local keys = {}
  for i = 1, border do
    if #keys == ENTRIES_MAX then break end
    keys[#keys + 1] = i
  end
  for _, list in next, { names, rest } do
    for i = 1, #list do
      if #keys == ENTRIES_MAX then break end
      keys[#keys + 1] = list[i]
    end
  end
  return keys, count
end

local function describer()
  local out, n, nodes = {}, 0, 0
  local ids, last_id = {}, 0
  local function put(value) n = n + 1; out[n] = value end

  local function describe(value, depth)
    nodes = nodes + 1
    local kind = type(value)
    if kind == "nil" then
      put "nil"
    elseif kind == "boolean" then
      put "boolean"; put(value)
    elseif kind == "number" then
      put(number_type(value)); put(tostring(value))
    elseif kind == "string" then
      local bytes = length(value)
      if bytes > TEXT_BYTES_MAX then value = cut(value, 1, character_start(value, 0, TEXT_BYTES_MAX + 1) - 1) end
      put "string"; put(value); put(bytes)
    elseif kind ~= "table" then
      put "other"; put(kind)
    elseif ids[value] then
      put "again"; put(ids[value])
    else
      local name = getmetatable(value) == false and external_name(value)
      if name then put "external"; put(name) return end
      last_id = last_id + 1
      ids[value] = last_id
      local keys, count = ordered_keys(value)
      put "table"; put(last_id); put(count)
      local shown = n + 1
      put(0)
      for i = 1, #keys do
        if depth == DEPTH_MAX or nodes > NODES_MAX then break end
        describe(keys[i], DEPTH_MAX)
        describe(rawget(value, keys[i]), depth + 1)
        out[shown] = i
      end
    end
  end

  return describe, out
end

local function describe_all(...)
  local describe, out = describer()
  for i = 1, select("#", ...) do describe((select(i, ...)), 0) end
  return out
end

return {
  -- The description of what the program returns; false when it does not compile.
  run = function(source, name)
    local chunk = load(source, name, "t")
    if not chunk then return false end
    return describe_all(chunk())
  end,

  -- The descriptions of the values at these keys of an external table.
  values = function(name, ...)
    local t, describe, out = open_table(name), describer()
    for i = 1, select("#", ...) do describe(t[select(i, ...)], 0) end
    return out
  end,

  -- The description of an error value that the program left behind.
  describe = describe_all,
}
