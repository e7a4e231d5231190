-- 20,000 reads per unit from 1,000 entries of a store: half integer keys, half string keys. `open_store` chooses the store.
-- units: 10

local store = open_store()
local names = {}
for i = 1, 500 do
  names[i] = "name" .. i
  store[i] = i
  store[names[i]] = i
end

function bench(units)
  local sum = 0
  for _ = 1, units do
    for _ = 1, 20 do
      for i = 1, 500 do
        sum = sum + store[i] + store[names[i]]
      end
    end
    sum = sum & 0x7fffffff
  end
  return sum
end
