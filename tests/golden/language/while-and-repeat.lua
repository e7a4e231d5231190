--- pass
--- 1 2 3 3
--- 5
--- 3
--- 4
--- 2
--- 11 21
--- 2	1
--- nil	not there
--- 3	0	1	2
--- 6	1	7	21
--- 111
--- 1.414213562373
--- 1	-1	0	nan
---
-- Manual 3.3.4: while, repeat, break.
local i = 0
while i < 3 do i = i + 1; io.write(i, " ") end
print(i)
while false do print("never") end
while nil do print("never") end
i = 0
while true do i = i + 1; if i > 4 then break end end
print(i)
i = 0
repeat i = i + 1 until i >= 3
print(i)
repeat i = i + 1 until true
print(i)
repeat local stop = true until stop
i = 0
repeat i = i + 1; if i == 2 then break end until false
print(i)
-- break leaves the innermost loop only
local log = {}
for a = 1, 3 do
  for b = 1, 3 do
    if b == 2 then break end
    log[#log + 1] = a .. b
  end
  if a == 2 then break end
end
print(table.concat(log, " "))
-- break in the middle of a block (5.2 and later)
for a = 1, 3 do do break end print("never") end
while true do if true then break else print("never") end end
-- return out of nested loops
local function find(t, x)
  for i, row in ipairs(t) do
    for j, v in ipairs(row) do if v == x then return i, j end end
  end
  return nil, "not there"
end
print(find({ { 1, 2 }, { 3, 4 } }, 3))
print(find({ { 1 } }, 9))
-- closures made in a repeat, whose condition uses the same local
local fs, n = {}, 0
repeat
  local v = n
  fs[#fs + 1] = function() return v end
  n = n + 1
until v == 2
print(#fs, fs[1](), fs[2](), fs[3]())
-- Euclid, Collatz, Newton
local function gcd(a, b) while b ~= 0 do a, b = b, a % b end return a end
print(gcd(48, 18), gcd(17, 5), gcd(0, 7), gcd(1071, 462))
local c, steps = 27, 0
while c ~= 1 do c = c % 2 == 0 and c // 2 or 3 * c + 1; steps = steps + 1 end
print(steps)
local r, last = 2.0, nil
repeat last = r; r = (r + 2 / r) / 2 until r == last or math.abs(r - last) < 1e-15
print(string.format("%.12f", r))
-- if, elseif, else
local function sign(x) if x > 0 then return 1 elseif x < 0 then return -1 elseif x == 0 then return 0 else return "nan" end end
print(sign(5), sign(-5), sign(0), sign(0 / 0))
if nil then print("never") elseif false then print("never") end
