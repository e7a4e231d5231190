--- pass
--- 2 1.41421356237 0 1e+50 0.5 3 inf
--- 4.0	true	-0.0
--- 1 2.71828182846 0.367879441171 22026.4657948 1.6487212707 4.94065645841e-324 1.01423205474e+304
--- 1.0	inf	0.0	0.0	inf
--- 0 2.30258509299 0.69314718056 -0.69314718056 690.775527898 3 -744.440071921
--- 0.0	-inf	true	inf
--- 3 10 3 4 0.5 -3 2 1.5
--- 3.0	60.0	2.0	15.0	2.0
--- 0 0.841470984808 1 -0.841470984808 -0.50636564111 0.035748797972 1 0.540302305868 -1 -0.416146836547 -0.999360807438 0 1.55740772465 -0.546302489844 14.1014199472
--- 0 1.57079632679 -1.57079632679 0.523598775598 0 1.57079632679 3.14159265359 1.26610367278 0 0.785398163397 -0.785398163397 1.57079632669 0.463647609001
--- 0.785398163397 2.35619449019 -0.785398163397 -2.35619449019 0 3.14159265359 -3.14159265359 1.57079632679 -1.57079632679 0 0.588002603548 0.785398163397 0
--- true	true	true	true	0.0	1.0	0.0	-0.0	-0.0
--- 180 57.2957795131 0 -90 3.14159265359 1.57079632679 0.0174532925199 -0.785398163397 1.25
--- 3.14159265359 6.28318530718 1.41421356237 0.707106781187 1.99526231497 13780.6123398 1.74787125172e-46 -8 -0.125 1.07150860719e+301
--- 3.1415926535898	true	3.0	1024.0	1.0	0.0	-inf	1.0	1.0	1.0
--- true
--- bad argument #1 to 'math.sqrt' (number expected, got no value)
--- bad argument #1 to 'math.sqrt' (number expected, got string)
--- bad argument #1 to 'math.sin' (number expected, got nil)
--- bad argument #1 to 'math.log' (number expected, got no value)
--- bad argument #1 to 'math.log' (number expected, got table)
--- bad argument #2 to 'math.log' (number expected, got string)
--- bad argument #1 to 'math.atan' (number expected, got no value)
--- bad argument #1 to 'math.exp' (number expected, got boolean)
--- bad argument #1 to 'math.deg' (number expected, got no value)
--- bad argument #1 to 'math.rad' (number expected, got table)
--- bad argument #1 to 'math.cos' (number expected, got function)
---
-- Manual 6.7: sqrt, exp, log, sin, cos, tan, asin, acos, atan, deg, rad, pi.
local function err(f, ...) print((select(2, pcall(f, ...)))) end
-- the last bits of these functions are the C library's own affair: 12 digits are compared
local function p(...) local t = table.pack(...); for i = 1, t.n do t[i] = string.format("%.12g", t[i]) end print(table.concat(t, " ")) end
p(math.sqrt(4), math.sqrt(2), math.sqrt(0), math.sqrt(1e100), math.sqrt(0.25), math.sqrt("9"), math.sqrt(1 / 0)); print(math.sqrt(16), math.sqrt(-1) ~= math.sqrt(-1), math.sqrt(-0.0))
p(math.exp(0), math.exp(1), math.exp(-1), math.exp(10), math.exp(0.5), math.exp(-745), math.exp(700)); print(math.exp(0), math.exp(710), math.exp(-1000), math.exp(-1 / 0), math.exp(1 / 0))
p(math.log(1), math.log(10), math.log(2), math.log(0.5), math.log(1e300), math.log(math.exp(3)), math.log(5e-324)); print(math.log(1), math.log(0), math.log(-1) ~= math.log(-1), math.log(1 / 0))
p(math.log(8, 2), math.log(1024, 2), math.log(1000, 10), math.log(81, 3), math.log(2, 4), math.log(0.125, 2), math.log(100, 10.0), math.log(27, 9)); print(math.log(8, 2), math.log(2^60, 2), math.log(100, 10), math.log(1e15, 10), math.log(16, 4))
p(math.sin(0), math.sin(1), math.sin(math.pi / 2), math.sin(-1), math.sin(100), math.sin(1e5), math.cos(0), math.cos(1), math.cos(math.pi), math.cos(-2), math.cos(1e5), math.tan(0), math.tan(1), math.tan(-0.5), math.tan(1.5))
p(math.asin(0), math.asin(1), math.asin(-1), math.asin(0.5), math.acos(1), math.acos(0), math.acos(-1), math.acos(0.3), math.atan(0), math.atan(1), math.atan(-1), math.atan(1e10), math.atan(0.5))
p(math.atan(1, 1), math.atan(1, -1), math.atan(-1, 1), math.atan(-1, -1), math.atan(0, 1), math.atan(0, -1), math.atan(-0.0, -1), math.atan(1, 0), math.atan(-1, 0), math.atan(0, 0), math.atan(2, 3), math.atan(1 / 0, 1 / 0), math.atan(5, 1 / 0))
print(math.asin(2) ~= math.asin(2), math.acos(-1.5) ~= math.acos(-1.5), math.sin(1 / 0) ~= math.sin(1 / 0), math.cos(-1 / 0) ~= math.cos(-1 / 0), math.sin(0), math.cos(0), math.atan(0), math.sin(-0.0), math.tan(-0.0))
p(math.deg(math.pi), math.deg(1), math.deg(0), math.deg(-math.pi / 2), math.rad(180), math.rad(90), math.rad(1), math.rad(-45), math.rad(math.deg(1.25)))
p(math.pi, math.pi * 2, 2^0.5, 2^-0.5, 10^0.3, 1.1^100, 0.9^1000, (-2)^3, (-8)^-1, 2^1000); print(math.pi, 2^0.5 == math.sqrt(2), 9^0.5, 2^10, 0.0^0, (1 / 0)^-1, (-1 / 0)^3, 1^(0 / 0), (0 / 0)^0, (-1)^(1 / 0))
-- identities
local worst = 0
for i = -50, 50 do local x = i / 7; worst = math.max(worst, math.abs(math.sin(x)^2 + math.cos(x)^2 - 1), math.abs(math.exp(math.log(math.abs(x) + 1)) - (math.abs(x) + 1)), math.abs(math.tan(math.atan(x)) - x)) end
print(worst < 1e-13)
err(math.sqrt); err(math.sqrt, "x"); err(math.sin, nil); err(math.log); err(math.log, {}); err(math.log, 1, "x"); err(math.atan); err(math.exp, true); err(math.deg); err(math.rad, {}); err(math.cos, print)
