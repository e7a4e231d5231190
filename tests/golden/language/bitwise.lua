--- pass
--- 1	7	6	-6	-1	5	255	true
--- 1	2	4611686018427387904	true	0	0	0	0
--- -1	true	1	0	0	1	1
--- 0	1	2	true	0	1	0	0	0
--- true	-16	7ffffffffffffffc ffffffffffffff
--- 1	1099511627776	16	-2
--- golden:36: number has no integer representation
--- golden:37: number has no integer representation
--- golden:38: number has no integer representation
--- golden:39: number has no integer representation
--- golden:40: number has no integer representation
--- golden:41: attempt to perform bitwise operation on a table value (local 'a')
--- golden:42: attempt to perform bitwise operation on a nil value
--- golden:43: attempt to perform bitwise operation on a nil value
--- golden:44: attempt to perform bitwise operation on a string value (field 'x')
--- golden:45: attempt to perform bitwise operation on a function value (global 'print')
--- 3	1	7	8	8	2	6
--- true	false	true	-5	-7	6	4	false	6
--- 0	8	64	1	63
--- 23456789abcdef01 fffffffffffffffd
--- 32b5ba29
---
-- Manual 3.4.2: bitwise operators work on 64 bits.
local max, min = math.maxinteger, math.mininteger
print(5 & 3, 5 | 3, 5 ~ 3, ~5, ~0, ~~5, -1 & 0xff, min | 1 == min + 1)
print(1 << 0, 1 << 1, 1 << 62, 1 << 63 == min, 1 << 64, 1 << 100, 1 << max, 1 << min)
print(-1 >> 0, -1 >> 1 == max, -1 >> 63, -1 >> 64, -1 >> 1000, min >> 63, 2 >> 1)
-- a negative shift goes the other way
print(1 << -1, 2 << -1, 1 >> -1, 1 >> -63 == min, 1 >> -64, -1 << -63, -1 << -64, 256 >> min, 256 << min)
-- shifts are logical
print(-8 >> 1 == (max - 3), -8 << 1, string.format("%x %x", -8 >> 1, -256 >> 8))
-- floats with integral values
print(5.0 & 3, 2^40 | 0, 1.0 << 4, ~1.0)
local function err(f, ...) print((select(2, pcall(f, ...)))) end
err(function() return 1 & 1.5 end)
err(function() return ~1.5 end)
err(function() return 1 << 2^64 end)
err(function() return 1 | (0 / 0) end)
err(function() return 1 | (1 / 0) end)
err(function() local a = {}; return a & 1 end)
err(function() return nil ~ 1 end)
err(function() return ~nil end)
err(function() local t = { x = "q" }; return t.x << 1 end)
err(function() return 1 >> print end)
-- precedence: ~ (xor) between & and |; shifts above &; .. above shifts; arithmetic above those
print(1 | 2 & 3, 1 | 2 ~ 3, 6 ~ 3 & 1, 1 << 2 + 1, 1 + 1 << 2, 3 & 1 << 1, -1 >> 60 & 6)
print(5 & 3 == 1, 5 ~ 3 ~= 6, (5 & 3) == 1, ~5 + 1, ~(5 + 1), -~5, ~-5, not ~5, #"abc" << 1)
-- some uses
local function popcount(x) local n = 0; while x ~= 0 do x = x & (x - 1); n = n + 1 end; return n end
print(popcount(0), popcount(255), popcount(-1), popcount(min), popcount(max))
local function rotl(x, k) return x << k | x >> (64 - k) end
print(string.format("%016x %016x", rotl(0x0123456789abcdef, 8), rotl(-2, 1)))
local h = 0x811c9dc5
for c in ("perilune"):gmatch(".") do h = ((h ~ c:byte()) * 0x01000193) & 0xffffffff end
print(string.format("%08x", h))
