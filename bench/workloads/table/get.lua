-- 20,000 reads per unit from 1,000 entries of a table: half integer keys, half string keys. `open_table` opens it.
-- units: 10

local t = open_table()
local names = {}
for i = 1, 500 do
  names[i] = "name" .. i
  t[i] = i
  t[names[i]] = i
end

function bench(units)
  local sum = 0
  for _ = 1, units do
    for _ = 1, 20 do
      for i = 1, 500 do
        sum = sum + t[i] + t[names[i]]
      end
    end
    sum = sum & 0x7fffffff
  end
  return sum
end
