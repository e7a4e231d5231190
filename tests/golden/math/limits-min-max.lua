--- pass
--- 1	2	3	2.5	2.5	1	1.0	-1
--- 1	1	1	1	1.5	1	1.0	-2	0.0	-0.0
--- inf	-inf	9223372036854775807	9.2233720368548e+18	-9223372036854775808	integer	float
--- 1	1	true
--- bad argument #1 to 'math.max' (value expected)
--- bad argument #1 to 'math.min' (value expected)
--- attempt to compare number with table
--- attempt to compare boolean with number
--- inf	-inf	true	true	true
--- 9223372036854775807	-9223372036854775808	true	9223372036854775807	true	true
--- 3.141592653589793	true	float	3.0	3
--- false	true	true	false
--- 100	0
--- 0.5	4
--- 0.8	-3
--- -0.6875	3
--- 0.0	0
--- 3.0000000000 -2.0000000000
--- 2 3 5 7 11 13 17 19 23 29 31 37 41 43 47 53 59
---
-- Manual 6.7: max, min, huge, maxinteger, mininteger, pi.
local function err(f, ...) print((select(2, pcall(f, ...)))) end
print(math.max(1), math.max(1, 2), math.max(3, 1, 2), math.max(1, 2.5), math.max(2.5, 1), math.max(1, 1.0), math.max(1.0, 1), math.max(-1, -2))
print(math.min(1), math.min(1, 2), math.min(3, 1, 2), math.min(1, 2.5), math.min(1.5, 2), math.min(1, 1.0), math.min(1.0, 1), math.min(-1, -2), math.min(0.0, -0.0), math.max(-0.0, 0.0))
print(math.max(math.maxinteger, math.huge), math.min(math.mininteger, -math.huge), math.max(math.maxinteger, 2^53), math.max(math.maxinteger, 2^63), math.min(math.mininteger, -2^63), math.type(math.max(1, 2)), math.type(math.max(1, 2.0)))
print(math.max(1, 0 / 0), math.min(1, 0 / 0), math.max(0 / 0, 1) ~= math.max(0 / 0, 1))
err(math.max); err(math.min); err(math.max, 1, {}); err(math.min, 1, 2, true)
print(math.huge, -math.huge, math.huge == 1 / 0, math.huge > math.maxinteger, math.huge - 1 == math.huge)
print(math.maxinteger, math.mininteger, math.maxinteger + 1 == math.mininteger, math.maxinteger // 1 | 0, math.maxinteger * 1.0 == 2^63, -math.mininteger == math.mininteger)
print(string.format("%.15f", math.pi), math.pi == 3.141592653589793, math.type(math.pi), math.pi // 1, math.floor(math.pi))
print(math.maxinteger + 0.0 == math.maxinteger, math.mininteger + 0.0 == math.mininteger, 2^53 == 2^53 + 1, (1 << 53) == (1 << 53) + 1)
local big = {}
for i = 1, 200 do big[i] = (i * 37) % 101 end
print(math.max(table.unpack(big)), math.min(table.unpack(big)))
-- nothing of older versions that 5.4 dropped is needed: exponent, mantissa and hypotenuse by hand
local function frexp(x) if x == 0 then return 0.0, 0 end local e = 0; while math.abs(x) >= 1 do x = x / 2; e = e + 1 end while math.abs(x) < 0.5 do x = x * 2; e = e - 1 end return x, e end
print(frexp(8)); print(frexp(0.1)); print(frexp(-5.5)); print(frexp(0))
local function cbrt(x) return x < 0 and -(-x)^(1 / 3) or x^(1 / 3) end
print(string.format("%.10f %.10f", cbrt(27), cbrt(-8)))
local function isprime(n) if n < 2 then return false end for i = 2, math.floor(math.sqrt(n)) do if n % i == 0 then return false end end return true end
local primes = {}
for i = 1, 60 do if isprime(i) then primes[#primes + 1] = i end end
print(table.concat(primes, " "))
