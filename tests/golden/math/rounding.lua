--- pass
--- 3	-4	5	0	9007199254740992	0	3	-1
--- 4	-3	5	0	9007199254740992	1	4
--- 9.2233720368548e+18	9.2233720368548e+18	-9223372036854775808	1e+100	-1e+100	inf	-inf	true
--- integer	float	true
--- 3	0.7
--- -3	-0.7
--- 5	0.0
--- 0	0.0
--- inf	0.0
--- -inf	0.0
--- 9007199254740992	0.0
--- 0	0.25
--- 1e+100	0.0
--- 1	0.5
--- true	true
--- 1	-1	1	-1	0	1.5	-1.5	0.0	1.0	0	-0.0
--- 0	-1	9223372036854775807	0	true	true	integer	float
--- bad argument #2 to 'math.fmod' (zero)
--- bad argument #2 to 'math.fmod' (number expected, got no value)
--- bad argument #1 to 'math.fmod' (number expected, got string)
--- bad argument #2 to 'math.fmod' (zero)
--- 3	3	nil	8	8	nil	nil	9007199254740992	nil	-9223372036854775808	nil	nil	0	nil
--- bad argument #1 to 'math.tointeger' (value expected)
--- 5	5	5.5	0	0.0	-9223372036854775808	9223372036854775807	inf	7.0	9.2233720368548e+18
--- true	false	false	false	true	true	false	true	true
--- bad argument #2 to 'math.ult' (number expected, got no value)
--- bad argument #1 to 'math.ult' (number has no integer representation)
--- bad argument #1 to 'math.ult' (number expected, got string)
--- integer	float	nil	nil	nil	float	integer	float	float
--- bad argument #1 to 'math.type' (value expected)
--- bad argument #1 to 'math.floor' (number expected, got no value)
--- bad argument #1 to 'math.floor' (number expected, got string)
--- bad argument #1 to 'math.floor' (number expected, got table)
--- bad argument #1 to 'math.ceil' (number expected, got nil)
--- bad argument #1 to 'math.abs' (number expected, got boolean)
--- bad argument #1 to 'math.modf' (number expected, got no value)
--- bad argument #1 to 'math.floor' (number expected, got string)
--- bad argument #1 to 'math.ceil' (number expected, got function)
---
-- Manual 6.7: floor, ceil, modf, fmod, tointeger, abs, ult, type.
local function err(f, ...) print((select(2, pcall(f, ...)))) end
print(math.floor(3.7), math.floor(-3.7), math.floor(5), math.floor(-0.0), math.floor(2^53), math.floor(0.9999999), math.floor("3.5"), math.floor(-1e-300))
print(math.ceil(3.2), math.ceil(-3.2), math.ceil(5), math.ceil(-0.5), math.ceil(2^53), math.ceil(1e-300), math.ceil("3.5"))
-- a result that fits no integer stays a float
print(math.floor(2^63), math.ceil(2^63), math.floor(-2^63), math.floor(1e100), math.ceil(-1e100), math.floor(1 / 0), math.ceil(-1 / 0), math.floor(0 / 0) ~= math.floor(0 / 0))
print(math.type(math.floor(2^62)), math.type(math.floor(2^63)), math.floor(-2^63) == math.mininteger)
print(math.modf(3.7)); print(math.modf(-3.7)); print(math.modf(5)); print(math.modf(-0.0)); print(math.modf(1 / 0)); print(math.modf(-1 / 0)); print(math.modf(2^53)); print(math.modf(0.25)); print(math.modf(1e100)); print(math.modf("1.5"))
local ip, fp = math.modf(0 / 0); print(ip ~= ip, fp ~= fp)
print(math.fmod(7, 3), math.fmod(-7, 3), math.fmod(7, -3), math.fmod(-7, -3), math.fmod(6, 3), math.fmod(5.5, 2), math.fmod(-5.5, 2), math.fmod(5, 2.5), math.fmod(1, math.huge), math.fmod(-6, 2), math.fmod(-6.0, 2))
print(math.fmod(math.mininteger, -1), math.fmod(math.mininteger, math.maxinteger), math.fmod(math.maxinteger, math.mininteger), math.fmod(5, 1), math.fmod(3, 0.0) ~= math.fmod(3, 0.0), math.fmod(1 / 0, 1) ~= 0, math.type(math.fmod(7, 3)), math.type(math.fmod(7, 3.0)))
err(math.fmod, 1, 0); err(math.fmod, 1); err(math.fmod, "x", 1); err(math.fmod, 0, 0)
print(math.tointeger(3), math.tointeger(3.0), math.tointeger(3.5), math.tointeger("8"), math.tointeger("8.0"), math.tointeger("x"), math.tointeger({}), math.tointeger(2^53), math.tointeger(2^63), math.tointeger(-2^63), math.tointeger(1 / 0), math.tointeger(0 / 0), math.tointeger(-0.0), math.tointeger(nil))
err(math.tointeger)
print(math.abs(-5), math.abs(5), math.abs(-5.5), math.abs(0), math.abs(-0.0), math.abs(math.mininteger), math.abs(math.maxinteger), math.abs(-1 / 0), math.abs("-7"), math.abs(-2^63))
print(math.ult(1, 2), math.ult(2, 1), math.ult(1, 1), math.ult(-1, 1), math.ult(1, -1), math.ult(-2, -1), math.ult(math.mininteger, math.maxinteger), math.ult(0, math.mininteger), math.ult(1.0, 2))
err(math.ult, 1); err(math.ult, 1.5, 2); err(math.ult, "x", 2)
print(math.type(1), math.type(1.0), math.type("1"), math.type(nil), math.type({}), math.type(1 / 0), math.type(1 // 1), math.type(2^2), math.type(7 // 2.0)); err(math.type)
err(math.floor); err(math.floor, "x"); err(math.floor, {}); err(math.ceil, nil); err(math.abs, true); err(math.modf); err(math.floor, "0x"); err(math.ceil, print)
