--- pass
--- 01	ff	ff	0201	0102	01000000	00000001	feffffffffffffff	0000000000000001	0100
--- fe c8 truetrue
--- feff 00c8 truetrue
--- feffff 0000c8 truetrue
--- feffffff 000000c8 truetrue
--- feffffffff 00000000c8 truetrue
--- feffffffffff 0000000000c8 truetrue
--- feffffffffffff 000000000000c8 truetrue
--- feffffffffffffff 00000000000000c8 truetrue
--- feffffffffffffffff 0000000000000000c8 truetrue
--- feffffffffffffffffff 000000000000000000c8 truetrue
--- feffffffffffffffffffff 00000000000000000000c8 truetrue
--- feffffffffffffffffffffff 0000000000000000000000c8 truetrue
--- feffffffffffffffffffffffff 000000000000000000000000c8 truetrue
--- feffffffffffffffffffffffffff 00000000000000000000000000c8 truetrue
--- feffffffffffffffffffffffffffff 0000000000000000000000000000c8 truetrue
--- feffffffffffffffffffffffffffffff 000000000000000000000000000000c8 truetrue
--- -1	255	-2	65534	65279	-1	16777215	4
--- -9223372036854775808	-1	9223372036854775807	-1	9
--- 1	-2	3	8
--- 2	5
--- 2	3	7
--- 1
--- 4
--- 4
--- 010000010100	000102000003	0102
--- bad argument #2 to 'string.pack' (integer overflow)
--- bad argument #2 to 'string.pack' (integer overflow)
--- bad argument #2 to 'string.pack' (unsigned overflow)
--- bad argument #2 to 'string.pack' (unsigned overflow)
--- bad argument #2 to 'string.pack' (integer overflow)
--- bad argument #2 to 'string.pack' (unsigned overflow)
--- bad argument #2 to 'string.pack' (integer overflow)
--- bad argument #2 to 'string.pack' (unsigned overflow)
--- bad argument #2 to 'string.pack' (unsigned overflow)
--- 000080	ffffffffffffffff	7f	80
--- 16-byte integer does not fit into Lua Integer
--- 9-byte integer does not fit into Lua Integer
--- -1	-1	0	17
--- integral size (0) out of limits [1,16]
--- integral size (17) out of limits [1,16]
--- integral size (99) out of limits [1,16]
--- invalid format option 'y'
--- bad argument #2 to 'string.pack' (number expected, got nil)
--- bad argument #2 to 'string.pack' (number expected, got string)
--- bad argument #2 to 'string.pack' (number has no integer representation)
--- bad argument #1 to 'string.pack' (string expected, got no value)
--- bad argument #3 to 'string.pack' (number expected, got nil)
--- bad argument #2 to 'string.pack' (number expected, got table)
--- 0700	0700
--- bad argument #2 to 'string.unpack' (data string too short)
--- bad argument #2 to 'string.unpack' (data string too short)
--- bad argument #2 to 'string.unpack' (data string too short)
--- bad argument #3 to 'string.unpack' (initial position out of string)
--- 97
--- bad argument #2 to 'string.unpack' (string expected, got no value)
--- bad argument #3 to 'string.unpack' (initial position out of string)
--- invalid format option 'q'
--- bad argument #3 to 'string.unpack' (number has no integer representation)
--- 99	4
--- 010002	000000	1	2	4
--- bad argument #2 to 'string.unpack' (data string too short)
---
-- Manual 6.4.2: string.pack and string.unpack of integers.
local function hex(s) return (s:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end
local function err(f, ...) print((select(2, pcall(f, ...)))) end
local pack, unpack = string.pack, string.unpack
print(hex(pack("<b", 1)), hex(pack("<b", -1)), hex(pack("<B", 255)), hex(pack("<h", 258)), hex(pack(">h", 258)), hex(pack("<i4", 1)), hex(pack(">i4", 1)), hex(pack("<j", -2)), hex(pack(">j", 1)), hex(pack("<l", 1)):sub(1, 4))
for n = 1, 16 do io.write(hex(pack("<i" .. n, -2)), " ", hex(pack(">I" .. n, 200)), " ", tostring(unpack("<i" .. n, pack("<i" .. n, -2)) == -2), tostring(unpack(">I" .. n, pack(">I" .. n, 200)) == 200), "\n") end
print(unpack("<b", "\xff"), unpack("<B", "\xff"), unpack("<h", "\xfe\xff"), unpack("<H", "\xfe\xff"), unpack(">H", "\xfe\xff"), unpack("<i3", "\xff\xff\xff"), unpack("<I3", "\xff\xff\xff"))
print(unpack("<j", pack("<j", math.mininteger)), unpack(">J", pack(">J", -1)), unpack("<i8", pack("<i8", math.maxinteger)), unpack("<I8", ("\xff"):rep(8)))
-- several at once, positions, the position after the last
print(unpack("<i1i2i4", pack("<i1i2i4", 1, -2, 3))); print(unpack("<I2", "\1\0\2\0\3\0", 3)); print(unpack("<I2I2", "\1\0\2\0\3\0", -4)); print(unpack("", "abc")); print(unpack("", "abc", 4)); print(select("#", unpack("<bbb", "\1\2\3")))
-- endianness may change inside; spaces are free
print(hex(pack("< i2 > i2 = < i2", 1, 1, 1)), hex(pack(">I2 <I2 >I2", 1, 2, 3)), hex(pack("  <  b  b  ", 1, 2)))
-- ranges
err(pack, "<b", 128); err(pack, "<b", -129); err(pack, "<B", 256); err(pack, "<B", -1); err(pack, "<h", 32768); err(pack, "<H", 65536); err(pack, "<i3", 1 << 23); err(pack, "<I3", 1 << 24); err(pack, "<I7", -1); print(hex(pack("<i3", -(1 << 23))), hex(pack("<I8", -1)), hex(pack("<b", 127)), hex(pack("<b", -128)))
err(unpack, "<i16", ("\xff"):rep(8) .. ("\0"):rep(7) .. "\1"); err(unpack, "<I9", ("\xff"):rep(9)); print(unpack("<i9", ("\xff"):rep(9)), unpack("<I9", ("\xff"):rep(8) .. "\0"), unpack("<i16", ("\0"):rep(16)))
-- arguments and formats
err(pack, "<i0", 1); err(pack, "<i17", 1); err(pack, "<I99", 1); err(pack, "y", 1); err(pack, "i4"); err(pack, "<i4", "x"); err(pack, "<i4", 1.5); err(pack); err(pack, "<i4 i4", 1); err(pack, "<b", {}); print(hex(pack("<i2", "7")), hex(pack("<i2", 7.0)))
err(unpack, "<i4", "abc"); err(unpack, "<i4", "abcd", 2); err(unpack, "<b", ""); err(unpack, "<b", "a", 3); err(unpack, "<b", "a", -2); err(unpack, "b"); err(unpack, "<b", "abc", 10); err(unpack, "q", "a"); err(unpack, "<i2", "a\0", 1.5); print(unpack("<b", "abc", 0 + 3))
-- padding byte x
print(hex(pack("<bxb", 1, 2)), hex(pack("xxx")), unpack("<bxb", "\1\9\2")); err(unpack, "x", "")
