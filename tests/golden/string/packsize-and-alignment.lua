--- pass
--- 0	1	1	2	2	4	8	8	8	8	4	8	1	10	3	7	8
--- true	true	true	true	true	true	true	1
--- 5	8	6	5	16	12	6	32	true
--- 0100000002000000	010002000000	010000000200000003	01000000000000003ff0000000000000	010002000300000004000000
--- 1	2	9
--- 1	9
--- 1	9
--- 11	010000000100000061	6100000001000000
--- 4	9	0100000002	1	0	010000000000000002000000	1	2	6
--- bad argument #1 to 'string.packsize' (invalid next option for option 'X')
--- bad argument #1 to 'string.packsize' (invalid next option for option 'X')
--- bad argument #1 to 'string.packsize' (invalid next option for option 'X')
--- 0
--- integral size (17) out of limits [1,16]
--- integral size (0) out of limits [1,16]
--- bad argument #1 to 'string.packsize' (format asks for alignment not power of 2)
--- bad argument #1 to 'string.pack' (format asks for alignment not power of 2)
--- bad argument #1 to 'string.packsize' (format asks for alignment not power of 2)
--- bad argument #1 to 'string.packsize' (variable-length format)
--- bad argument #1 to 'string.packsize' (variable-length format)
--- bad argument #1 to 'string.packsize' (variable-length format)
--- bad argument #1 to 'string.packsize' (variable-length format)
--- invalid format option 'q'
--- bad argument #1 to 'string.packsize' (string expected, got no value)
--- bad argument #1 to 'string.packsize' (string expected, got table)
--- missing size for format option 'c'
--- integral size (17) out of limits [1,16]
--- bad argument #1 to 'string.packsize' (format result too large)
--- bad argument #1 to 'string.packsize' (format result too large)
--- 2024	400	50
--- 0		1	07	true	4	77	1.5	-1	9
--- true	true
---
-- Manual 6.4.2: packsize, alignment with !, padding X.
local function hex(s) return (s:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end
local function err(f, ...) print((select(2, pcall(f, ...)))) end
local pack, unpack, size = string.pack, string.unpack, string.packsize
print(size(""), size("b"), size("B"), size("h"), size("H"), size("i4"), size("I8"), size("j"), size("J"), size("n"), size("f"), size("d"), size("x"), size("c10"), size("i3"), size("bhi4"), size("<bbbb>hh"))
-- sizes of C types are those of the platform; what holds on all of them
print(size("i") == size("I"), size("l") == size("L"), size("T") >= 4, size("i") >= 2, size("h") == 2, size("f") == 4, size("d") == 8, size("s1x" == "" and "" or "x"))
-- without ! there is no alignment; with !n items align to the smaller of their size and n
print(size("bi4"), size("!4bi4"), size("!2bi4"), size("!1bi4"), size("!8bi8"), size("!4bi8"), size("!8bbbi2"), size("!16bi16"), size("!bd") >= 9)
print(hex(pack("<!4 b i4", 1, 2)), hex(pack("<!2 b i4", 1, 2)), hex(pack("<!4 i2 i4 b", 1, 2, 3)), hex(pack(">!8 b d", 1, 1)), hex(pack("<!4 b i2 b i4", 1, 2, 3, 4)))
print(unpack("<!4 b i4", pack("<!4 b i4", 1, 2))); print(unpack("<!4 i4", "\0\0\0\0\1\0\0\0", 5)); print(unpack("<!4 i4", "x\0\0\0\1\0\0\0", 2))
-- strings and single bytes need no alignment; the count of s does
print(size("!4 c1 i4 c3"), hex(pack("<!4 b s4", 1, "a")), hex(pack("<!4 z i4", "a", 1)))
-- X aligns as the option that follows would, without packing it
print(size("!4 b Xi4"), size("!8 b Xi8 b"), hex(pack("<!4 b Xi4 b", 1, 2)), size("b Xi4"), size("!4 Xi4"), hex(pack("<!8 i4 Xd i4", 1, 2)), unpack("<!4 b Xi4 b", "\1\0\0\0\2"))
err(size, "X"); err(size, "!4 X z"); err(size, "!4 Xc1"); err(size, "Xx"); err(size, "!17"); err(size, "!0"); err(size, "!3 i3"); err(pack, "!4 i3", 1); err(size, "!4 b i3"); err(size, "s"); err(size, "z"); err(size, "s4"); err(size, "bz"); err(size, "q"); err(size); err(size, {}); err(size, "c"); err(size, "i17")
err(size, ("c2000000000"):rep(2)); err(size, "c2000000000c200000000"); print(size("c1000") + size("c1000c24"), size(("i4"):rep(100)), size(("x"):rep(50)))
-- ! alone, and options that only set the state
print(size("<>=!"), pack("<>=!1"), size("! < > b"), hex(pack("=I1", 7)), pack("") == "", #pack("=I4", 1), unpack("=I4", pack("=I4", 77)), unpack("=n", pack("n", 1.5)), unpack("j", pack("=j", -1)))
-- native order is little or big, the same for all
local little = pack("=I2", 1) == "\1\0"; print(little == (pack("=I4", 1):byte(1) == 1), pack("=I2", 258) == pack(little and "<I2" or ">I2", 258))
