-- Making closures and calling them: counters, composition, variables shared between two closures.
-- units: 20

local function counter(start)
  local value = start
  return function(by)
    value = (value + by) & 0xffffff
    return value
  end, function()
    return value
  end
end

local function compose(f, g)
  return function(x)
    return f(g(x))
  end
end

function bench(units)
  local sum = 0
  for unit = 1, units do
    for i = 1, 3000 do
      local add, read = counter(i + unit)
      local twice = compose(add, add)
      for by = 1, 5 do
        twice(by)
      end
      sum = sum + read()
    end
    sum = sum & 0x7fffffff
  end
  return sum
end
