-- Function calls: the naive Fibonacci recursion.
-- units: 32

local function fib(n)
  if n < 2 then
    return n
  end
  return fib(n - 1) + fib(n - 2)
end

function bench(units)
  local sum = 0
  for _ = 1, units do
    sum = (sum + fib(24)) & 0x7fffffff
  end
  return sum
end
