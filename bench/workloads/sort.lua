-- table.sort of integers and of strings, in the natural order.
-- units: 24

local function numbers(count, seed)
  local list = {}
  for i = 1, count do
    seed = (seed * 1103515245 + 12345) & 0x7fffffff
    list[i] = seed >> 5
  end
  return list
end

function bench(units)
  local sum = 0
  for unit = 1, units do
    local list = numbers(6000, unit)
    table.sort(list)
    sum = sum ~ list[1] ~ list[3000] ~ list[6000]
    local names = {}
    for i = 1, 1500 do
      names[i] = "key" .. list[(i * 7) % 6000 + 1] % 5000
    end
    table.sort(names)
    sum = sum + #names[1] + names[750]:byte(4)
  end
  return sum
end
