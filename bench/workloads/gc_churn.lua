-- The collector at work: short-lived tables, strings and closures beside a ring of live ones that keeps turning.
-- units: 20

function bench(units)
  local ring, sum = {}, 0
  for i = 1, 1000 do
    ring[i] = { value = i, text = "live" .. i }
  end
  for unit = 1, units do
    for i = 1, 15000 do
      local point = { x = i, y = unit, sum = 0 }
      point.sum = point.x + point.y
      if i % 5 == 0 then
        local at = (i * 7) % 1000 + 1
        ring[at] = { value = point.sum, text = "live" .. i, old = { ring[at].value } }
      end
      sum = sum + point.sum
    end
    sum = sum & 0x7fffffff
  end
  for i = 1, 1000 do
    sum = sum + ring[i].value
  end
  return sum
end
