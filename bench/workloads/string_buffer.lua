-- Making strings: concatenation of short pieces, and buffers joined by table.concat.
-- units: 20

function bench(units)
  local sum = 0
  for unit = 1, units do
    local parts = {}
    for i = 1, 8000 do
      parts[#parts + 1] = "item " .. i .. ":" .. (i ~ unit)
    end
    local text = table.concat(parts, ";")
    sum = sum + #text + text:byte(unit * 7)

    local line = ""
    for i = 1, 800 do
      line = line .. string.char(97 + i % 26)
    end
    sum = sum + #(line:rep(20, "\n")) + #line:upper():reverse():sub(10, -10)
  end
  return sum
end
