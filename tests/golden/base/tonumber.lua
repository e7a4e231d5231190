--- pass
--- 5	5.0	5	5.0	31	100.0	7	-7
--- nil	nil	nil	nil	nil	nil	nil	nil	nil
--- nil	nil	nil	nil
--- 1	1	nil	nil	nil	nil	nil	nil
--- 9223372036854775807	9.2233720368548e+18	-9223372036854775808	-9.2233720368548e+18
--- 9223372036854775807	-1	0	-1	nil
--- inf	-inf	0.0	0.25	1.0	10.5
--- nil	nil	nil	nil	nil	nil	nil	nil
--- integer	float	float	integer	float
--- 12	0.5	5.0	nil	5	16.0	100.0	-0.5
--- bad argument #1 to 'tonumber' (value expected)
--- 7	true	1e+40
--- 2	511	255	255	1295	1295	10	nil
--- 3	-3	nil	nil	nil	nil	nil	1
--- nil	nil	nil	481	nil	nil	nil	nil
--- 9223372036854775807	-1	0	-1	-9223372036854775808
--- integer	-9223372036854775808	-9223372036854775808
--- 3 8 13 18 23 28 33 
--- bad argument #2 to 'tonumber' (base out of range)
--- bad argument #2 to 'tonumber' (base out of range)
--- bad argument #2 to 'tonumber' (base out of range)
--- bad argument #2 to 'tonumber' (base out of range)
--- bad argument #1 to 'tonumber' (string expected, got number)
--- bad argument #1 to 'tonumber' (string expected, got nil)
--- bad argument #1 to 'tonumber' (string expected, got table)
--- bad argument #2 to 'tonumber' (number expected, got string)
--- bad argument #2 to 'tonumber' (number has no integer representation)
--- 3	3	11
---
-- Manual 6.1: tonumber without a base.
local function err(f, ...) print((select(2, pcall(f, ...)))) end
print(tonumber(5), tonumber(5.0), tonumber("5"), tonumber("5.0"), tonumber("0x1F"), tonumber("1e2"), tonumber("  7  "), tonumber("-7"))
print(tonumber(""), tonumber(" "), tonumber("x"), tonumber("5x"), tonumber("5 5"), tonumber("0x"), tonumber("1e"), tonumber("--5"), tonumber("+-5"))
print(tonumber(nil), tonumber(true), tonumber({}), tonumber(print))
print(tonumber("1\n"), tonumber("\t1"), tonumber("1\0"), tonumber("\0001"), tonumber("1_000"), tonumber("1,5"), tonumber("1.5.5"), tonumber("1 e1"))
print(tonumber("9223372036854775807"), tonumber("9223372036854775808"), tonumber("-9223372036854775808"), tonumber("-9223372036854775809"))
print(tonumber("0x7fffffffffffffff"), tonumber("0xffffffffffffffff"), tonumber("0x10000000000000000"), tonumber("-0x1"), tonumber("0x-1"))
print(tonumber("1e1000"), tonumber("-1e1000"), tonumber("1e-1000"), tonumber("0x1p-2"), tonumber("0x.8p1"), tonumber("0xA.8"))
print(tonumber("inf"), tonumber("nan"), tonumber("Infinity"), tonumber("0b1"), tonumber("0o7"), tonumber("1f"), tonumber("1L"), tonumber("1d"))
print(math.type(tonumber("10")), math.type(tonumber("10.0")), math.type(tonumber("1e1")), math.type(tonumber("0x10")), math.type(tonumber("0x1p4")))
print(tonumber("00012"), tonumber(".5"), tonumber("5."), tonumber("."), tonumber("+5"), tonumber("0X1p+4"), tonumber("1E+2"), tonumber("-.5"))
err(tonumber); print(tonumber(("0"):rep(200) .. "7"), tonumber("0." .. ("0"):rep(199) .. "1") == 1e-200, tonumber(("9"):rep(40)))
-- with a base
print(tonumber("10", 2), tonumber("777", 8), tonumber("ff", 16), tonumber("FF", 16), tonumber("zz", 36), tonumber("Zz", 36), tonumber("10", 10), tonumber("7", 3))
print(tonumber("  11  ", 2), tonumber("-11", 2), tonumber("- 11", 2), tonumber("1 1", 2), tonumber("", 10), tonumber(" ", 10), tonumber("-", 10), tonumber("+1", 10))
print(tonumber("0x10", 16), tonumber("1.5", 10), tonumber("1e1", 10), tonumber("1e1", 16), tonumber("8", 8), tonumber("19", 9), tonumber("g", 16), tonumber("1\0", 10))
print(tonumber("7fffffffffffffff", 16), tonumber("ffffffffffffffff", 16), tonumber("10000000000000000", 16), tonumber(("1"):rep(64), 2), tonumber("-8000000000000000", 16))
print(math.type(tonumber("10", 10)), tonumber("9223372036854775808", 10), tonumber("1" .. ("0"):rep(63), 2))
for b = 2, 36, 5 do io.write(tonumber("11", b), " ") end
print()
err(tonumber, "1", 1); err(tonumber, "1", 37); err(tonumber, "1", 0); err(tonumber, "1", -2); err(tonumber, 1, 10); err(tonumber, nil, 10); err(tonumber, {}, 10)
err(tonumber, "1", "x"); err(tonumber, "1", 2.5); print(tonumber("11", "2"), tonumber("11", 2.0), tonumber("11", nil))
