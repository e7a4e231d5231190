--- pass
--- 10
--- 12
--- 11
--- 10
--- 2	1
--- true
--- recursive
--- 2
--- 2
--- 1
--- inner
--- outer
--- none	5	outer
--- 3
--- 11	12	21	31
--- 1	a
--- 2	1
--- 1	2	3
--- 10	10	10	true
--- nil	nil	nil
---
-- Manual 3.5: lexical scoping and visibility.
x = 10
do
  local x = x
  print(x)
  x = x + 1
  do
    local x = x + 1
    print(x)
  end
  print(x)
end
print(x)
-- a local is visible after its own statement only
local y = 1
local y, z = y + 1, y
print(y, z)
local f = function(n) return f end
print(f() == nil)
local function g(n) return n == 0 and "recursive" or g(n - 1) end
print(g(3))
-- the same name twice: the later one wins
local a, a = 1, 2
print(a)
local function p(q, q) return q end
print(p(1, 2))
-- shadowing by parameters, for variables and in blocks
local i = "outer"
for i = 1, 1 do print(i); local i = "inner"; print(i) end
print(i)
local function shadow(i) i = i or "none"; return i end
print(shadow(), shadow(5), i)
-- repeat: the condition sees the locals of the body
local n = 0
repeat local done = n >= 2; n = n + 1 until done
print(n)
-- each turn of a loop has fresh locals
local fs = {}
local k = 1
while k <= 3 do local v = k * 10; fs[k] = function() v = v + 1; return v end; k = k + 1 end
print(fs[1](), fs[1](), fs[2](), fs[3]())
fs = {}
for k, v in pairs { "a" } do fs[#fs + 1] = function() return k, v end end
print(fs[1]())
-- closures share what they close over
local function pair()
  local n = 0
  return function() n = n + 1; return n end, function() return n end
end
local inc, get = pair()
inc(); inc()
local inc2, get2 = pair()
inc2()
print(get(), get2())
-- upvalues of upvalues
local function outer()
  local v = 0
  return function() return function() v = v + 1; return v end end
end
local mid = outer()
local in1, in2 = mid(), mid()
print(in1(), in2(), in1())
-- a global is a field of _ENV
print(x, _ENV.x, _G.x, _ENV == _G)
x = nil
print(x, _G.x, rawget(_G, "x"))
