--- pass
--- 97	98	99	97	0	255
--- 0	0	0	0	3
--- 98	99
--- 98	99
--- 97
--- 98
--- 98
--- 97	98	99
--- 0
--- 	Hi	2	ABC
--- round trip	255
--- bad argument #1 to 'string.char' (value out of range)
--- bad argument #1 to 'string.char' (value out of range)
--- bad argument #2 to 'string.char' (value out of range)
--- bad argument #1 to 'string.char' (number expected, got string)
--- bad argument #1 to 'string.char' (number has no integer representation)
--- bad argument #1 to 'string.char' (number expected, got table)
--- bad argument #1 to 'string.byte' (string expected, got no value)
--- bad argument #1 to 'string.byte' (string expected, got table)
--- bad argument #2 to 'string.byte' (number expected, got table)
--- bad argument #3 to 'string.byte' (number expected, got string)
--- bad argument #1 to 'string.byte' (string expected, got nil)
--- 54	46
--- true	256
---
-- Manual 6.4: string.byte, string.char.
local function err(f, ...) print((select(2, pcall(f, ...)))) end
print(("abc"):byte(), ("abc"):byte(2), ("abc"):byte(-1), ("abc"):byte(1, -1), ("\0\255"):byte(1, 2))
print(select("#", ("abc"):byte(4)), select("#", ("abc"):byte(0)), select("#", (""):byte()), select("#", ("abc"):byte(3, 2)), select("#", ("abc"):byte(-10, 10)))
print(("abc"):byte(-2, -1)); print(("abc"):byte(2, 100)); print(("abc"):byte(-100, 1)); print(("abc"):byte("2")); print(("abc"):byte(2.0))
print(("abc"):byte(math.mininteger, math.maxinteger)); print(select("#", ("abc"):byte(math.maxinteger)))
print(string.char(), string.char(72, 105), #string.char(0, 0), string.char(0x41, 66.0, "67"))
print(string.char(("round trip"):byte(1, -1)), string.char(255):byte())
err(string.char, 256); err(string.char, -1); err(string.char, 65, 1000); err(string.char, "x"); err(string.char, 1.5); err(string.char, {})
err(string.byte); err(string.byte, {}); err(string.byte, "x", {}); err(string.byte, "x", 1, "y"); err(string.byte, nil)
print(string.byte(65), string.byte(1.5, 2))
-- all 256 bytes
local t = {}
for i = 0, 255 do t[i] = string.char(i) end
local all = table.concat(t, "", 0, 255)
local ok = #all == 256
for i = 0, 255 do ok = ok and all:byte(i + 1) == i end
print(ok, select("#", all:byte(1, -1)))
