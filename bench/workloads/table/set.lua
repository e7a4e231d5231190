-- 20,000 writes per unit into 1,000 entries of a table: half integer keys, half string keys. `open_table` opens it.
-- units: 10

local t = open_table()
local names = {}
for i = 1, 500 do
  names[i] = "name" .. i
end

function bench(units)
  for unit = 1, units do
    for _ = 1, 20 do
      for i = 1, 500 do
        t[i] = i + unit
        t[names[i]] = unit
      end
    end
  end
  return t[500] + t.name500
end
