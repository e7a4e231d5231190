--- pass
--- 0	0 0 0 0 0 0 0 0	0 0 0 0 0 0 0 0
--- 1	1 0 0 0 -1 -1 -1 -1	0 1 1 1 0 -1 -2 -6
--- 2	2 1 0 0 -2 -1 -1 -1	0 0 2 2 0 0 -1 -5
--- 5	5 2 1 0 -5 -3 -2 -1	0 1 2 5 0 -1 -1 -2
--- 7	7 3 2 1 -7 -4 -3 -1	0 1 1 0 0 -1 -2 0
--- -1	-1 -1 -1 -1 1 0 0 0	0 1 2 6 0 -1 -1 -1
--- -2	-2 -1 -1 -1 2 1 0 0	0 0 1 5 0 0 -2 -2
--- -5	-5 -3 -2 -1 5 2 1 0	0 1 1 2 0 -1 -2 -5
--- -7	-7 -4 -3 -1 7 3 2 1	0 1 2 0 0 -1 -1 0
--- 0.0	0.0 0.0 0.0 0.0 -0.0 -0.0 -0.0 -0.0	0.0 0.0 0.0 0.0 0.0 0.0 0.0 0.0
--- 1.5	1.0 0.0 0.0 0.0 -2.0 -1.0 -1.0 -1.0	0.5 1.5 1.5 1.5 -0.5 -0.5 -1.5 -5.5
--- 5.5	5.0 2.0 1.0 0.0 -6.0 -3.0 -2.0 -1.0	0.5 1.5 2.5 5.5 -0.5 -0.5 -0.5 -1.5
--- -1.5	-2.0 -1.0 -1.0 -1.0 1.0 0.0 0.0 0.0	0.5 0.5 1.5 5.5 -0.5 -1.5 -1.5 -1.5
--- -5.5	-6.0 -3.0 -2.0 -1.0 5.0 2.0 1.0 0.0	0.5 0.5 0.5 1.5 -0.5 -1.5 -2.5 -5.5
--- 3	-4	-4	3	1	-1	1	-1
--- 3	-4	-4	3	1	-1	1	-1
--- 3	-4	-4	3	1	-1	1	-1
--- 3	-4	-4	3	1	-1	1	-1
--- 0
--- 9223372036854775807	0
--- -9223372036854775807	0
--- -9223372036854775808	0
--- -9223372036854775808	0
--- 4611686018427387903	1
--- -4611686018427387904	0
--- -4611686018427387904	-1
--- 4611686018427387904	0
--- 1	0
--- 1	0
--- -1	-1
--- -2	9223372036854775806
--- 9223372036854775807	0
--- 0	9223372036854775806
--- 0	1
--- -1	-9223372036854775807
--- -1	9223372036854775806
--- 0	-1
--- -25h=23@-2 -12h=12@-1 1h=1@0 14h=14@0 27h=3@1 40h=16@1 
--- true	0.75	6.0	2.0	1.0	true	2.0	-1.0	-17.0	6.0	10.0
---
-- Manual 3.4.1: // and % over a grid of signs and kinds, and the law that binds them.
local vals = { 0, 1, 2, 3, 7, 10 }
local function row(f) local r = {}; for _, b in ipairs { 1, 2, 3, 7, -1, -2, -3, -7 } do r[#r + 1] = tostring(f(b)) end return table.concat(r, " ") end
for _, a in ipairs { 0, 1, 2, 5, 7, -1, -2, -5, -7 } do print(a, row(function(b) return a // b end), row(function(b) return a % b end)) end
for _, a in ipairs { 0.0, 1.5, 5.5, -1.5, -5.5 } do print(a, row(function(b) return a // b end), row(function(b) return a % b end)) end
-- the same through variables, constants and metamethod-free tables
local seven, mseven, two, mtwo = 7, -7, 2, -2
print(seven // two, seven // mtwo, mseven // two, mseven // mtwo, seven % two, seven % mtwo, mseven % two, mseven % mtwo)
print(7 // 2, 7 // -2, -7 // 2, -7 // -2, 7 % 2, 7 % -2, -7 % 2, -7 % -2)
print(seven // 2, seven // -2, mseven // 2, mseven // -2, seven % 2, seven % -2, mseven % 2, mseven % -2)
print(7 // two, 7 // mtwo, -7 // two, -7 // mtwo, 7 % two, 7 % mtwo, -7 % two, -7 % mtwo)
-- a == (a // b) * b + a % b, and the sign of the remainder is the divisor's
local bad = 0
for a = -25, 25 do for b = -7, 7 do if b ~= 0 then
  if (a // b) * b + a % b ~= a then bad = bad + 1 end
  if a % b ~= 0 and (a % b < 0) ~= (b < 0) then bad = bad + 1 end
  if math.abs(a % b) >= math.abs(b) then bad = bad + 1 end
  if a // b ~= math.floor(a / b) then bad = bad + 1 end
  if a % b ~= (a + 0.0) % b or (a + 0.0) // b ~= a // b then bad = bad + 1 end
  if math.fmod(a, b) ~= (a % b == 0 and 0 or (a % b) - ((a < 0) ~= (b < 0) and b or 0)) then bad = bad + 1 end
end end end
print(bad)
-- at the ends of the integers
local max, min = math.maxinteger, math.mininteger
for _, p in ipairs { { max, 1 }, { max, -1 }, { min, 1 }, { min, -1 }, { max, 2 }, { min, 2 }, { max, -2 }, { min, -2 }, { max, max }, { min, min }, { max, min }, { min, max }, { min + 1, -1 }, { max - 1, max }, { 1, max }, { 1, min }, { -1, max }, { -1, min } } do print(p[1] // p[2], p[1] % p[2]) end
-- halves, floors and clocks
for h = -25, 49, 13 do io.write(h, "h=", h % 24, "@", h // 24, " ") end print()
print(5.3 % 1 < 0.31, -0.25 % 1, 1e15 % 7, 2^53 % 3, -2^53 % 3, 1e308 % 3 >= 0, 5 % 3.0, 5.0 % -3, -5 // 0.3, 0.7 // 0.1, 1 // 0.1)
