--- pass
--- 5.5	2	2.75	2.0	1.5
--- -5.5	2	-2.75	-3.0	0.5
--- 5.5	-2	-2.75	-3.0	-0.5
--- -5.5	-2	2.75	2.0	-1.5
--- 5.25	0.5	10.5	10.0	0.25
--- -0.5	1	-0.5	-1.0	0.5
--- 5.0	inf	-inf	-5.0	0.0	-0.0
--- true	true	inf	-inf	true	true	true
--- false	true	false	false	false	true	false
--- true	inf	-inf	inf	-inf	-0.0	-0.0
--- false	0.75	inf	-inf	4.9406564584125e-324	0.0
--- true	1.0	1.0	1.0	true	inf	4.9406564584125e-324
--- 2.0	100.0	0.01	-8.0	-0.5	inf
--- 1.0	-1.0	100.0	1e+14	1e+15	1.2345678901234e+14	1e+16	1e+100	9.007199254741e+15	9.2233720368548e+18	-9.2233720368548e+18
--- 0.1	0.33333333333333	33.333333333333	0.0001	1e-05	123456789.0	3.1415926535898	1e+15
--- inf	-inf	true	3	3.0	-4.0	true
--- true	true	false	true	false	true	true	false
--- true	false	true	true	true	true	true	false
--- true	true	false	false	false	false
--- false	true	false
---
-- Manual 3.4.1, 3.4.2: IEEE floats, division, modulo and power.
local inf, nan = 1 / 0, 0 / 0
for _, p in ipairs { { 5.5, 2 }, { -5.5, 2 }, { 5.5, -2 }, { -5.5, -2 }, { 5.25, 0.5 }, { -0.5, 1 } } do
  local a, b = p[1], p[2]
  print(a, b, a / b, a // b, a % b)
end
print(5 % inf, -5 % inf, 5 % -inf, -5 % -inf, 5.0 // inf, -5 // inf)
print(inf - inf ~= inf - inf, inf * 0 ~= inf * 0, inf + 1, -inf, inf == inf, inf > math.maxinteger, -inf < math.mininteger)
print(nan == nan, nan ~= nan, nan < 1, nan > 1, nan <= nan, not (nan >= nan), nan == 0)
print(0.0 == -0.0, 1 / 0.0, 1 / -0.0, 1 / (0 * -1), 1 / (0.0 * -1), 0.0 // -1, -0.0 % 1)
print(0.1 + 0.2 == 0.3, 0.5 + 0.25, 1e308 * 10, -1e308 * 10, 5e-324, 5e-324 / 2)
print(2^0.5 == math.sqrt(2), 0^0, inf^0, nan^0, (-8)^(1 / 3) ~= (-8)^(1 / 3), 2^1023 * 2, 2^-1074)
print(4^0.5, 10^2, 10^-2, (-2)^3, (-2.0)^-1, 0^-1)
-- how numbers are written: %.14g, and a float always looks like one
print(1.0, -1.0, 100.0, 1e14, 1e15, 123456789012345.0, 1e16, 1e100, 2^53, 2^63, -2^63)
print(0.1, 1 / 3, 100 / 3, 1e-4, 1e-5, 123456.789e3, 3.14159265358979, 1e15 + 0.5)
print(inf, -inf, 3.0 == 3, 3 | 0, 3.7 // 1, -3.7 // 1, 3.7 % 1 < 0.7000001)
-- exact comparison of integers and floats
local max, min = math.maxinteger, math.mininteger
print(max < 2^63, max + 0.0 == 2^63, max == 2^63, max <= 2^63, max >= 2^63, min == -2^63, min <= -2^63, min < -2^63)
print(2^53 == 2^53 + 1, (2^53 | 0) + 1 == 2^53, (2^53 | 0) + 1 > 2^53, 1 < 1.5, 2 > 1.5, -1 < -0.5, 1 <= 1.0, 1 < 1.0)
print(max < inf, min > -inf, max < nan, max > nan, max <= nan, 1 == nan)
print(9007199254740993 < 9007199254740992.0, 9007199254740993 > 9007199254740992.0, 9007199254740993 == 9007199254740992.0)
