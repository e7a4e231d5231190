--- pass
--- 9223372036854775807	-9223372036854775808	true	true	true	-2	true
--- 9	5	14	3.5	3	1	49.0
--- 3.0	4.0	1.0	float	float	integer
--- 7	3	2	1	true
--- -7	3	-3	2	true
--- 7	-3	-3	-2	true
--- -7	-3	2	-1	true
--- 6	3	2	0	true
--- -6	3	-2	0	true
--- 0	5	0	0	true
--- 0	-5	0	0	true
--- 1	-1	-1	0	true
--- true	0	-1	-1	-2	9223372036854775806
--- 9223372036854775807	-9223372036854775808	-9223372036854775807	0	1	0
--- golden:43: attempt to divide by zero
--- golden:44: attempt to perform 'n%0'
--- golden:45: attempt to divide by zero
--- golden:46: attempt to perform 'n%0'
--- attempt to divide by zero
--- inf	-inf	true	inf	-inf	true
--- 2.0	2.0	3.0	1.0	0.0	9.007199254741e+15
--- 9.2233720368548e+18	true	true	false
--- -5	5	5	0	-0.0	true
--- 0.5	-4.0	4.0	512.0	-0.25
--- -9223372036709301616	0	1	0	true
--- 20	-4249290049419214848
---
-- Manual 3.4.1: integer arithmetic wraps around; / and ^ are always float.
local max, min = math.maxinteger, math.mininteger
print(max, min, max + 1 == min, min - 1 == max, -min == min, max * 2, min * -1 == min)
print(7 + 2, 7 - 2, 7 * 2, 7 / 2, 7 // 2, 7 % 2, 7 ^ 2)
print(6 / 2, 2 ^ 2, 1 / 1, math.type(6 / 2), math.type(2 ^ 2), math.type(7 // 2))
-- floor division and modulo round towards minus infinity
for _, p in ipairs { { 7, 3 }, { -7, 3 }, { 7, -3 }, { -7, -3 }, { 6, 3 }, { -6, 3 }, { 0, 5 }, { 0, -5 }, { 1, -1 } } do
  local a, b = p[1], p[2]
  print(a, b, a // b, a % b, (a // b) * b + a % b == a)
end
print(min // -1 == min, min % -1, max // min, max % min, min // max, min % max)
print(max // 1, min // 1, max // -1, min % 1, max % 2, min % 2)
-- zero
local function err(f, ...) print((select(2, pcall(f, ...)))) end
err(function(a) return a // 0 end, 1)
err(function(a) return a % 0 end, 1)
err(function() return 1 // 0 end)
err(function() return 1 % 0 end)
err(function(a, b) return a // b end, "1", "0")
print(1 / 0, -1 / 0, 0 / 0 ~= 0 / 0, 1 // 0.0, -1 // 0.0, 1 % 0.0 ~= 1 % 0.0)
-- mixing: the result is float as soon as one operand is
print(1 + 1.0, 2 * 1.0, 7 // 2.0, 7 % 2.0, 1 - 1.0, 2^53 + 1)
print(max + 0.0, max + 1.0 == 2^63, min + 0.0 == -2^63, max + 0.0 == max)
-- unary minus
print(-5, - -5, -(-5), -0, - 0.0, -max == min + 1)
print(2^-1, -2^2, (-2)^2, 2^3^2, -2^-2)
-- products wrap modulo 2^64
print(3037000500 * 3037000500, 4294967296 * 4294967296, max * max, min * min, max * min == min)
local f, n = 1, 0
while f > 0 do n = n + 1; f = f * (n + 1) end
print(n, f)
