-- A thousand values of every type, as values and as keys. Look at them in the
-- inspector, reload the page, and look again: each is what it was.

local t = ext.table("mixed")
ext.clear(t)

local makers = {
  function(i) return i end,                               -- integer
  function(i) return i / 1 end,                           -- float, 6.0 too
  function(i) return i % 2 == 0 end,                      -- boolean
  function(i) return ("value %d"):format(i) end,          -- string
  function(i) return string.char(0xff, 0, i % 256) end,   -- bytes, not UTF-8
  function(i) return { n = i, half = i / 2, list = { i, { deep = true } } } end,
  function(i) return "line\nbreak, \"quotes\", caf\u{e9}, \u{1f315}" .. i end,
  function(i) return math.maxinteger - i end,             -- beyond 2^53
}

for i = 1, 1000 do
  local value = makers[i % #makers + 1](i)
  local kind = i % 4
  if kind == 0 then t["key " .. i] = value          -- string keys,
  elseif kind == 1 then t[i] = value                -- integers,
  elseif kind == 2 then t[i + 0.5] = value          -- floats,
  else t[tostring(i)] = value end                   -- "3" is not 3
end

local types = {}
for _, value in pairs(t) do
  local name = math.type(value) or type(value)
  types[name] = (types[name] or 0) + 1
end
for _, name in ipairs { "integer", "float", "boolean", "string", "table" } do
  print(("%-8s %4d"):format(name, types[name]))
end

local cycle = { name = "a table that holds itself" }
cycle.self = cycle
return ext.count(t), 1, 1.0, 0.1, -1 / 0, "1", "\xde\xad\xbe\xef", nil, { 1, 2, { x = true } }, cycle, t, print
