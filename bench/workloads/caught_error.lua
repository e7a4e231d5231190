-- Errors thrown and caught: a table through error, a message with position, one from the VM itself.
-- units: 20

local function throw(value)
  error(value)
end

local function index(value)
  return value.field
end

function bench(units)
  local sum, failure = 0, { code = 3 }
  for _ = 1, units do
    for i = 1, 8000 do
      local _, caught = pcall(throw, failure)
      sum = sum + caught.code
      if i % 4 == 0 then
        local ok, message = pcall(throw, "no")
        sum = sum + (ok and 1 or 2) + #message:sub(-2)
        ok = pcall(index, nil)
        sum = sum + (ok and 1 or 2)
      end
    end
  end
  return sum
end
