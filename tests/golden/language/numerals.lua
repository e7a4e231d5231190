--- pass
--- 3	345	255	12499674	10	12	0
--- 3.0	3.1416	3.1416	3.1416	340.0	0.5	5.0	3.0	100.0	0.01
--- 0.1171875	162.1875	3.1415926535898	0.5	8.0	16.0	0.5	16.0
--- integer	float	float	integer	float	float
--- 9223372036854775807	9.2233720368548e+18	1.844674407371e+19	-9.2233720368548e+18
--- integer	float	float
--- 9223372036854775807	-9223372036854775808	-1	-1	-11
--- 1e+308	inf	0.0	8.9884656743116e+307	inf	4.9406564584125e-324	0.0	1.0
--- 10.0	10.0	10.0	0.5	0.0	0.0
--- 12	1.02	28.0	15	1.0	1	1	5
--- nil	n:1: malformed number near '1..2'
--- nil	n:1: malformed number near '3x'
--- nil	n:1: malformed number near '0x'
--- nil	n:1: malformed number near '0xg'
--- nil	n:1: malformed number near '1e'
--- nil	n:1: malformed number near '1e+'
--- nil	n:1: malformed number near '0x1p'
--- nil	n:1: malformed number near '1.2.3'
--- nil	n:1: malformed number near '0b11'
--- nil	n:1: malformed number near '1_'
--- nil	n:1: malformed number near '08f'
--- nil	n:1: malformed number near '0x1.2.3'
--- nil	n:1: malformed number near '1e5.2'
--- nil	n:1: unexpected symbol near '.'
--- nil	n:1: malformed number near '12abc'
--- nil nil nil nil nil nil nil nil nil nil nil nil nil nil nil nil nil 
--- 1	-1	-16	0.5	-5.0	0	-0.0	7
--- true	true
--- true	true	true
--- false	true	true	true
---
-- Manual 3.1: integer and float literals, decimal and hexadecimal.
print(3, 345, 0xff, 0xBEBADA, 0Xa, 00012, 0x0)
print(3.0, 3.1416, 314.16e-2, 0.31416E1, 34e1, .5, 5., 3e0, 1e+2, 1E-2)
print(0x0.1E, 0xA23p-4, 0X1.921FB54442D18P+1, 0x.8, 0x8., 0x1p4, 0x1P-1, 0x10p+0)
print(math.type(1), math.type(1.), math.type(1e0), math.type(0x1), math.type(0x1p0), math.type(0x1.0))
-- a decimal integer that does not fit becomes a float, a hexadecimal one wraps
print(9223372036854775807, 9223372036854775808, 18446744073709551616, -9223372036854775808)
print(math.type(9223372036854775807), math.type(9223372036854775808), math.type(-9223372036854775808))
print(0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff, 0x1ffffffffffffffff, 0xfffffffffffffffffffffff5)
print(1e308, 1e309, 1e-400, 0x1p1023, 0x1p1024, 0x1p-1074, 0x1p-1075, 0x0.00000000000000000001p80)
print(1e1, 1e01, 1e+01, 000.5, 0e10, 0x0p10)
-- tokens end where a number cannot go on; "1..2" would be one malformed number
print(1 ..2, 1. ..2, 0xep1, 0xe+1, 0x.1p4, 3-2, 3 -2, 3- -2)
local function bad(src)
  local f, m = load("return " .. src, "=n")
  print(f, m)
end
for _, s in ipairs { "1..2", "3x", "0x", "0xg", "1e", "1e+", "0x1p", "1.2.3", "0b11", "1_000", "08f", "0x1.2.3", "1e5.2", ".e1", "12abc" } do bad(s) end
-- the same text through tonumber
for _, s in ipairs { "0x", "1e", "1e+", "0x1p", "1..2", "", " ", ".", "0x.", "- 1", "--1", "1 2", "1\0", "inf", "nan", "0x1pz", "+ 1" } do
  io.write(tostring(tonumber(s)), " ")
end
io.write("\n")
print(tonumber("+1"), tonumber("-1"), tonumber("-0x10"), tonumber("+.5"), tonumber("-.5e1"), tonumber("-0"), tonumber("-0.0"), tonumber("\v\f\n\r\t 7 "))
-- many digits are rounded once
print(0.1000000000000000055511151231257827 == 0.1, 123456789012345678901234567890 == 1.2345678901234568e29)
print(2.2250738585072011e-308 < 2.2250738585072014e-308, 9007199254740993.0 == 9007199254740992.0, 9007199254740993.0000001 == 9007199254740994.0)
print(1.7976931348623157e308 == math.huge, 1.7976931348623159e308 == math.huge, 4.9e-324 == 5e-324, 2e-324 == 0)
