-- Coroutine switches: generators resumed and wrapped, values passed both ways.
-- units: 32

local function producer(count)
  return coroutine.wrap(function()
    for i = 1, count do
      coroutine.yield(i)
    end
  end)
end

function bench(units)
  local sum = 0
  local echo = coroutine.create(function(value)
    while true do
      value = coroutine.yield(value + 1)
    end
  end)
  for _ = 1, units do
    for i = 1, 12000 do
      local _, value = coroutine.resume(echo, i)
      sum = sum + value
    end
    for _ = 1, 200 do
      for value in producer(40) do
        sum = sum + value
      end
    end
    sum = sum & 0x7fffffff
  end
  return sum
end
