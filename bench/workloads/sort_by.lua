-- table.sort of records with a comparison function in Lua.
-- units: 16

function bench(units)
  local sum, seed = 0, 7
  for _ = 1, units do
    local people = {}
    for i = 1, 2500 do
      seed = (seed * 1103515245 + 12345) & 0x7fffffff
      people[i] = { age = (seed >> 8) % 90, id = i }
    end
    table.sort(people, function(a, b)
      if a.age ~= b.age then
        return a.age < b.age
      end
      return a.id < b.id
    end)
    sum = (sum + people[1].id + people[1250].id * 3 + people[2500].id * 7) & 0x7fffffff
  end
  return sum
end
