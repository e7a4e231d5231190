--- pass
--- 15	15.0	12	5.0	3	3	8.0	-2	-2.0
--- integer	float	integer	float
--- 16	12	16.0	100.0	0.5	5.0
--- 10	10.0	-0.0	1e+15	1e+16	9.007199254741e+15	9.2233720368548e+18	1e+100
--- 12	1.52	12
--- 3	1000	-1	8
--- golden:49: attempt to perform bitwise operation on a string value (constant '3')
--- golden:50: attempt to perform bitwise operation on a string value (local 's')
--- golden:51: attempt to perform bitwise operation on a string value (constant '0')
--- golden:52: number has no integer representation
--- golden:53: attempt to perform bitwise operation on a string value (constant '1.5')
--- golden:54: attempt to perform bitwise operation on a string value (constant 'a')
--- golden:55: number has no integer representation
--- golden:56: attempt to perform bitwise operation on a table value
--- golden:57: attempt to add a 'string' with a 'number'
--- golden:58: attempt to add a 'string' with a 'number'
--- golden:59: attempt to add a 'string' with a 'number'
--- golden:60: attempt to add a 'string' with a 'number'
--- golden:61: attempt to concatenate a table value
--- golden:62: attempt to concatenate a nil value
--- golden:63: attempt to concatenate a boolean value
--- 9223372036854775807	9.2233720368548e+18	-1	-1
--- false	false	false	false
--- golden:68: attempt to compare number with string
--- golden:69: attempt to compare string with number
--- golden:70: attempt to compare two table values
--- golden:71: attempt to compare number with nil
--- golden:72: attempt to compare two boolean values
--- nil	int
--- nil
--- nil
--- nil
--- xxx	xxx	bc	98
--- bad argument #2 to 'string.rep' (number has no integer representation)
--- bad argument #2 to 'string.rep' (number has no integer representation)
--- bad argument #2 to 'string.rep' (number expected, got table)
--- bad argument #2 to 'string.rep' (number expected, got string)
---
-- Manual 3.4.3: coercions and conversions.
print("10" + 5, "10" + 5.0, "3" * "4", "10" / "2", "7" // "2", "7" % "4", "2" ^ "3", -"2", - "2.0")
print(math.type("10" + 5), math.type("10.0" + 5), math.type("0x10" + 0), math.type("1e1" + 0))
print("0x10" + 0, " 12 " + 0, "\t0x1p4\n" + 0, "1e2" + 0, ".5" + 0, "5." + 0)
print(10 .. "", 10.0 .. "", -0.0 .. "", 1e15 .. "", 1e16 .. "", 2^53 .. "", 2^63 .. "", 1e100 .. "")
print(1 .. 2, 1.5 .. 2, (1) .. (2))
-- bitwise operators convert floats to integers, and leave strings alone
print(3.0 | 0, 1e3 | 0, ~0.0, 2.0 << 2.0)
local function err(f, ...) print((select(2, pcall(f, ...)))) end
err(function() return "3" | 0 end)
err(function() local s = "0xff"; return 15 & s end)
err(function() return ~"0" end)
err(function() return 1.5 | 0 end)
err(function() return "1.5" | 0 end)
err(function() return "a" | 0 end)
err(function() return 2^63 | 0 end)
err(function() return {} | 0 end)
err(function() local x = "abc"; return x + 1 end)
err(function() return "" + 1 end)
err(function() return "1 2" + 1 end)
err(function() return "0x" + 1 end)
err(function() return {} .. "x" end)
err(function() return nil .. "x" end)
err(function() return true .. "" end)
-- string -> integer that does not fit becomes a float (decimal), hexadecimal wraps
print("9223372036854775807" + 0, "9223372036854775808" + 0, "0xffffffffffffffff" + 0, "0x1ffffffffffffffff" + 0)
-- comparison and equality never convert
print(1 == "1", "1" == 1, 0 == false, "" == nil)
err(function() return 1 < "2" end)
err(function() return "1" < 2 end)
err(function() return {} < {} end)
err(function() return nil > 1 end)
err(function() return true <= false end)
-- indexing does not convert, for loops do not convert
local t = { [10] = "int" }
print(t["10"], t[10])
err(function() for i = "1", 2 do end end)
err(function() for i = 1, "2" do end end)
err(function() for i = 1, 2, "1" do end end)
-- library functions that expect integers take floats with integral values and strings of them
print(("x"):rep(3.0), ("x"):rep("3"), ("abc"):sub("2"), ("abc"):byte("0x2"))
err(string.rep, "x", 1.5)
err(string.rep, "x", "1.5")
err(string.rep, "x", {})
err(string.rep, "x", "y")
