-- Method calls: a class, a subclass, lookup through __index.
-- units: 16

local Shape = {}
Shape.__index = Shape

function Shape.new(class, width)
  return setmetatable({ width = width, drawn = 0 }, class)
end

function Shape:draw()
  self.drawn = self.drawn + 1
  return self:area()
end

function Shape:area()
  return self.width
end

local Square = setmetatable({}, { __index = Shape })
Square.__index = Square

function Square:area()
  return self.width * self.width
end

function bench(units)
  local shapes, sum = {}, 0
  for i = 1, 20 do
    shapes[i] = Shape.new(i % 2 == 0 and Shape or Square, i)
  end
  for _ = 1, units do
    for _ = 1, 2500 do
      for i = 1, 20 do
        sum = sum + shapes[i]:draw()
      end
    end
    sum = sum & 0x7fffffff
  end
  return sum + shapes[20].drawn
end
