-- 20,000 writes per unit into 1,000 entries of a store: half integer keys, half string keys. `open_store` chooses the store.
-- units: 10

local store = open_store()
local names = {}
for i = 1, 500 do
  names[i] = "name" .. i
end

function bench(units)
  for unit = 1, units do
    for _ = 1, 20 do
      for i = 1, 500 do
        store[i] = i + unit
        store[names[i]] = unit
      end
    end
  end
  return store[500] + store.name500
end
