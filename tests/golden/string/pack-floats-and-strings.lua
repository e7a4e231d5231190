--- pass
--- 0000803f	c0200000	000000000000f03f	3fb999999999999a	000000000000f0bf	7ff0000000000000	0000000000000080	ff800000
--- 0.5	0.1	1e+300	4.9406564584125e-324	inf	float	false	0.100000001
--- true	1.7976931348623e+308	4.9406564584125e-324	9
--- 61626300	00	abc	a	cd	7
--- bad argument #2 to 'string.pack' (string contains zeros)
--- bad argument #2 to 'string.unpack' (unfinished string for format 'z')
--- bad argument #2 to 'string.unpack' (unfinished string for format 'z')
--- bad argument #2 to 'string.pack' (string expected, got table)
--- 026162	02006162	00000000	ab	abc	xyz	9	03610062
--- bad argument #2 to 'string.pack' (string length does not fit in given size)
--- 256	258
--- bad argument #2 to 'string.unpack' (data string too short)
--- bad argument #2 to 'string.unpack' (data string too short)
--- bad argument #2 to 'string.unpack' (data string too short)
--- bad argument #2 to 'string.unpack' (data string too short)
--- integral size (0) out of limits [1,16]
--- integral size (17) out of limits [1,16]
--- 6162630000	616263		ab	5		1
--- bad argument #2 to 'string.pack' (string longer than given size)
--- missing size for format option 'c'
--- bad argument #2 to 'string.unpack' (data string too short)
--- missing size for format option 'c'
--- 12	12	0201	370000
--- 29	8	513	name	data	2.5	-7	"fix\0"	0.25	30
--- 1one 2two 3three	true
---
-- Manual 6.4.2: floats, fixed and counted strings, zero-terminated strings.
local function hex(s) return (s:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end
local function err(f, ...) print((select(2, pcall(f, ...)))) end
local pack, unpack = string.pack, string.unpack
print(hex(pack("<f", 1)), hex(pack(">f", -2.5)), hex(pack("<d", 1)), hex(pack(">d", 0.1)), hex(pack("<n", -1)), hex(pack(">n", 1 / 0)), hex(pack("<d", -0.0)), hex(pack(">f", -1 / 0)))
print(unpack("<f", pack("<f", 0.5)), unpack(">d", pack(">d", 0.1)), unpack("<n", pack("<n", 1e300)), unpack("<d", pack("<d", 5e-324)), unpack("<f", pack("<f", 1e300)), math.type(unpack("<d", pack("<d", 3))), unpack("<f", pack("<f", 0.1)) == 0.1, string.format("%.9f", (unpack("<f", pack("<f", 0.1)))))
local nan = unpack("<d", pack("<d", 0 / 0)); print(nan ~= nan, unpack(">d", "\x7f\xef" .. ("\xff"):rep(6)), unpack("<d", "\1" .. ("\0"):rep(7)))
-- z
print(hex(pack("z", "abc")), hex(pack("z", "")), unpack("z", "abc\0def"), unpack("zz", "a\0b\0"), unpack("z", "ab\0cd\0", 4)); err(pack, "z", "a\0b"); err(unpack, "z", "abc"); err(unpack, "z", ""); err(pack, "z", {})
-- s
print(hex(pack("<s1", "ab")), hex(pack("<s2", "ab")), hex(pack(">s4", "")), unpack("<s1", "\2abc"), unpack("<s2", "\3\0abcd"), unpack(">s3", pack(">s3", "xyz")), #pack("<s8", "x"), hex(pack("<s1", "a\0b")))
err(pack, "<s1", ("x"):rep(256)); print(#pack("<s1", ("x"):rep(255)), #pack("<s2", ("x"):rep(256))); err(unpack, "<s1", "\5abc"); err(unpack, "<s4", "\255\255\255\255x"); err(unpack, "<s1", ""); err(unpack, "<s8", ("\255"):rep(8)); err(pack, "s0", ""); err(pack, "s17", "")
-- c
print(hex(pack("c5", "abc")), hex(pack("c3", "abc")), hex(pack("c0", "")), unpack("c2", "abc"), #unpack("c5", "ab\0\0\0"), unpack("c0", "abc")); err(pack, "c2", "abc"); err(pack, "c", "x"); err(unpack, "c4", "abc"); err(unpack, "c", "x")
-- numbers are taken as strings; strings as numbers
print(pack("z", 12):sub(1, 2), unpack("c2", 123), hex(pack("<i2", "258")), hex(pack("c3", 7)))
-- a record of mixed fields, written and read
local fmt = "<I2 z s1 d b c4 f"
local rec = pack(fmt, 513, "name", "data", 2.5, -7, "fix", 0.25)
local back = table.pack(unpack(fmt, rec)); print(#rec, back.n, back[1], back[2], back[3], back[4], back[5], ("%q"):format(back[6]), back[7], back[8])
-- an array of counted records, read in turn
local parts = {}
for i, w in ipairs { "one", "two", "three" } do parts[i] = pack(">I1s2", i, w) end
local buf, pos, out = table.concat(parts), 1, {}
while pos <= #buf do local n, w; n, w, pos = unpack(">I1s2", buf, pos); out[#out + 1] = n .. w end
print(table.concat(out, " "), pos == #buf + 1)
