-- Arrays: filling by append and by index, reading back, table.insert and table.remove at the end.
-- units: 20

function bench(units)
  local sum = 0
  for unit = 1, units do
    local list = {}
    for i = 1, 20000 do
      list[#list + 1] = i ~ unit
    end
    for round = 1, 8 do
      for i = 1, #list do
        sum = sum + list[i]
        list[i] = list[i] + round
      end
      sum = sum & 0x7fffffff
    end
    for i = 1, 5000 do
      table.insert(list, i)
    end
    for _ = 1, 5000 do
      sum = sum + table.remove(list)
    end
    for _, value in ipairs(list) do
      sum = sum + value
    end
    sum = sum & 0x7fffffff
  end
  return sum
end
