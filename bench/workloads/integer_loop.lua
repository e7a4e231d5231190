-- Integer arithmetic in a loop: a linear congruential generator, shifts and masks.
-- units: 16

function bench(units)
  local x, sum = 1, 0
  for _ = 1, units do
    for _ = 1, 400000 do
      x = (x * 1103515245 + 12345) & 0x7fffffff
      sum = (sum ~ (x >> 7)) + (x & 3)
    end
    sum = sum & 0x7fffffff
  end
  return sum
end
