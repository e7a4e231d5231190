--- pass
--- 42 -42	   42|42   |00042|+42| 42	007|     007|007     |+007	|0
--- 3	10	10	16	9223372036854775807	-9223372036854775808	0
--- ff FF 0xff 0XFF	10 010	ffffffffffffffff	8000000000000000	1777777777777777777777	0 0	00000abc|abc     |     ABC|0abc	0x000000ff
--- Lua	    A|B    |	1	0	A	    a|b    |
---                  123|	123                 |	-0000000000000000123	   -3|+0003	99	99	   42| 42  |	+5|-5
--- bad argument #2 to 'string.format' (number has no integer representation)
--- bad argument #2 to 'string.format' (number has no integer representation)
--- bad argument #2 to 'string.format' (number expected, got string)
--- bad argument #2 to 'string.format' (number expected, got table)
--- bad argument #2 to 'string.format' (number expected, got nil)
--- bad argument #2 to 'string.format' (no value)
--- bad argument #2 to 'string.format' (number has no integer representation)
--- bad argument #2 to 'string.format' (number has no integer representation)
--- bad argument #2 to 'string.format' (number expected, got string)
--- bad argument #2 to 'string.format' (number has no integer representation)
--- bad argument #3 to 'string.format' (no value)
--- bad argument #2 to 'string.format' (number expected, got boolean)
--- bad argument #2 to 'string.format' (number has no integer representation)
--- bad argument #2 to 'string.format' (number has no integer representation)
--- invalid conversion '%y' to 'format'
--- invalid conversion '%' to 'format'
--- bad argument #2 to 'string.format' (no value)
--- bad argument #2 to 'string.format' (no value)
--- invalid conversion specification: '%100d'
--- invalid conversion specification: '%.100d'
--- invalid conversion specification: '%0123d'
--- invalid conversion specification: '%-+ #05d'
--- invalid conversion specification: '%#d'
--- invalid conversion specification: '%+x'
--- invalid conversion specification: '% x'
--- invalid conversion specification: '%.5c'
--- invalid conversion specification: '%05c'
--- invalid conversion specification: '%+s'
--- invalid conversion specification: '%#s'
--- invalid conversion specification: '%05s'
--- 1
--- invalid conversion '%n' to 'format'
--- invalid conversion '%l' to 'format'
--- invalid conversion '%h' to 'format'
--- invalid conversion '%D' to 'format'
--- invalid conversion '%*' to 'format'
--- bad argument #2 to 'string.format' (no value)
--- bad argument #2 to 'string.format' (no value)
--- invalid conversion '%1$' to 'format'
--- 1    
--- %	50%	%d		no conversions	3	12	9223372036854775807
--- bad argument #1 to 'string.format' (string expected, got no value)
--- bad argument #1 to 'string.format' (string expected, got table)
--- bad argument #1 to 'string.format' (string expected, got nil)
--- 5	1:2
---
-- Manual 6.4: string.format with %d %i %u-less set %x %X %o %c.
local f = string.format
local function err(...) print((select(2, pcall(f, ...)))) end
print(f("%d %i", 42, -42), f("%5d|%-5d|%05d|%+d|% d", 42, 42, 42, 42, 42), f("%.3d|%8.3d|%-8.3d|%+.3d", 7, 7, 7, 7), f("%.0d|%d", 0, 0))
print(f("%d", 3.0), f("%d", "10"), f("%d", "10.0"), f("%d", " 0x10 "), f("%d", math.maxinteger), f("%d", math.mininteger), f("%i", -0.0))
print(f("%x %X %#x %#X", 255, 255, 255, 255), f("%o %#o", 8, 8), f("%x", -1), f("%X", math.mininteger), f("%o", -1), f("%x %#x", 0, 0), f("%08x|%-8x|%8X|%.4x", 0xabc, 0xabc, 0xabc, 0xabc), f("%#010x", 255))
print(f("%c%c%c", 76, 117, 97), f("%5c|%-5c|", 65, 66), #f("%c", 0), f("%c", 0):byte(), f("%c", 256 + 65), f("%5s|%-5s|", "a", "b"))
print(f("%20d|", 123), f("%-20d|", 123), f("%020d", -123), f("%+5d|%+05d", -3, 3), f("%99d", 1):len(), f("%.99d", 1):len(), f("% 5d|% -5d|", 42, 42), f("%+i|%+i", 5, -5))
err("%d", 1.5); err("%d", "1.5"); err("%d", "x"); err("%d", {}); err("%d", nil); err("%d"); err("%d", 2^63); err("%x", 1.5); err("%c", "x"); err("%c", 1.5); err("%d %d", 1); err("%i", true); err("%d", 0 / 0); err("%d", 1 / 0)
-- conversions that do not exist, or with flags they may not have
err("%y", 1); err("%", 1); err("%5"); err("abc%"); err("%100d", 1); err("%.100d", 1); err("%0123d", 1); err("%-+ #05d", 1); err("%#d", 1); err("%+x", 1); err("% x", 1); err("%.5c", 1); err("%05c", 1); err("%+s", "x"); err("%#s", "x"); err("%05s", "x"); err("%u", 1); err("%n", 1); err("%ld", 1); err("%hd", 1); err("%D", 1); err("%*d", 5, 1); err("%l"); err("%5%"); err("%1$d", 1); err("%--5d", 1)
print(f("%%"), f("%d%%", 50), f("%%d"), f(""), f("no conversions", 1, 2), f("\0%d\0", 5):len(), f("%s%s", 1, 2), f("%d", "9223372036854775807"))
err(); err({}); err(nil); print(f(5), ("%d:%d"):format(1, 2))
