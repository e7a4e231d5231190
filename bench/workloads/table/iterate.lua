-- 20,000 steps of pairs per unit, through a table of 10,000 entries: half integer keys, half string keys. `open_table` opens it.
-- units: 10

local t = open_table()
for i = 1, 5000 do
  t[i] = i
  t["name" .. i] = i
end

function bench(units)
  local sum = 0
  for _ = 1, units do
    for _ = 1, 2 do
      for _, value in pairs(t) do
        sum = sum + value
      end
    end
    sum = sum & 0x7fffffff
  end
  return sum
end
