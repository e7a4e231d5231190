-- Protected calls that succeed: pcall, and xpcall with a handler.
-- units: 16

local function add(a, b)
  return a + b
end

local function handler(message)
  return message
end

function bench(units)
  local sum = 0
  for _ = 1, units do
    for i = 1, 40000 do
      local _, value = pcall(add, i, 1)
      sum = sum + value
    end
    for i = 1, 20000 do
      local _, value = xpcall(add, handler, i, 2)
      sum = sum + value
    end
    sum = sum & 0x7fffffff
  end
  return sum
end
