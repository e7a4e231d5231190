-- Numbers to text and back: tostring, tonumber, string.format of integers and floats.
-- units: 10

function bench(units)
  local sum = 0
  for unit = 1, units do
    for i = 1, 5000 do
      local float = i / 7 + unit
      sum = sum + #tostring(i * unit) + #tostring(float)
      sum = sum + math.floor(tonumber(string.format("%.3f", float)) * 8)
      sum = sum + tonumber("0x" .. string.format("%x", i)) + tonumber(tostring(i))
    end
    sum = sum & 0x7fffffff
  end
  return sum
end
