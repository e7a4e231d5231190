-- 20,000 steps of pairs per unit, through a store of 10,000 entries: half integer keys, half string keys. `open_store` chooses the store.
-- units: 10

local store = open_store()
for i = 1, 5000 do
  store[i] = i
  store["name" .. i] = i
end

function bench(units)
  local sum = 0
  for _ = 1, units do
    for _ = 1, 2 do
      for _, value in pairs(store) do
        sum = sum + value
      end
    end
    sum = sum & 0x7fffffff
  end
  return sum
end
