-- Float arithmetic in a loop: points of the Mandelbrot set.
-- units: 32

local function escape_time(cr, ci)
  local zr, zi = 0.0, 0.0
  for i = 1, 100 do
    local rr, ii = zr * zr, zi * zi
    if rr + ii > 4.0 then
      return i
    end
    zi = 2.0 * zr * zi + ci
    zr = rr - ii + cr
  end
  return 100
end

function bench(units)
  local sum = 0
  for unit = 1, units do
    local shift = unit * 1e-3
    for y = -20, 20 do
      for x = -40, 20 do
        sum = sum + escape_time(x / 20 + shift, y / 20)
      end
    end
  end
  return sum
end
