--- pass
--- 0	3	3	2	3	2
--- [abc] [bcdef] [bc] [def] [de] [abcdef] [ab] [] [] [f] [ab] [cdef] [] [abcdef] [bcde] [e] [] [abcdef] [] [] 
--- 	0	98
--- bc	23
--- bad argument #1 to 'string.sub' (string expected, got no value)
--- bad argument #2 to 'string.sub' (number expected, got no value)
--- bad argument #2 to 'string.sub' (number expected, got string)
--- bad argument #2 to 'string.sub' (number has no integer representation)
--- bad argument #1 to 'string.sub' (string expected, got table)
--- bad argument #3 to 'string.sub' (number expected, got table)
--- ababab			ab		x,x,x	x		--	aa
--- 3000	298	0	0	0
--- 777	xx	xx
--- bad argument #1 to 'string.rep' (string expected, got no value)
--- bad argument #2 to 'string.rep' (number expected, got no value)
--- bad argument #2 to 'string.rep' (number expected, got table)
--- bad argument #3 to 'string.rep' (string expected, got table)
--- bad argument #2 to 'string.rep' (number has no integer representation)
--- resulting string too large
--- resulting string too large
--- resulting string too large
--- cba		a	98	0	97
--- 321
--- hello world 1!	HELLO WORLD 1!		X1Y	5.5
--- true	true	true	@[`{	@[`{
--- bad argument #1 to 'string.len' (string expected, got no value)
--- bad argument #1 to 'string.lower' (string expected, got table)
--- bad argument #1 to 'string.upper' (string expected, got nil)
--- bad argument #1 to 'string.reverse' (string expected, got no value)
--- 13	xxxy	5	true	nil
--- golden:63: attempt to call a nil value (method 'nope')
--- golden:63: attempt to index a string value (upvalue 's')
--- golden:63: attempt to index a nil value (field 'y')
---
-- Manual 6.4: len, sub, rep, reverse, lower, upper.
local function err(f, ...) print((select(2, pcall(f, ...)))) end
print((""):len(), ("abc"):len(), ("a\0b"):len(), string.len(12), string.len(1.5), ("ä"):len())
-- sub: positions from both ends, corrected into range
for _, p in ipairs { { 1, 3 }, { 2 }, { 2, 3 }, { -3 }, { -3, -2 }, { 0 }, { 0, 2 }, { 4, 2 }, { 7 }, { 6, 6 }, { -100, 2 }, { 3, 100 }, { -1, 1 }, { 1, -1 }, { 2, -2 }, { -2, 5 }, { 1, 0 }, { math.mininteger, math.maxinteger }, { math.maxinteger }, { 1, math.mininteger } } do
  io.write("[", ("abcdef"):sub(p[1], p[2]), "] ")
end
print()
print((""):sub(1), ("a\0b"):sub(2, 3):byte(1, -1)); print(("abc"):sub("2", 3.0), string.sub(12345, 2, 3))
err(string.sub); err(string.sub, "x"); err(string.sub, "x", "y"); err(string.sub, "x", 1.5); err(string.sub, {}, 1); err(string.sub, "x", 1, {})
-- rep
print(("ab"):rep(3), ("ab"):rep(0), ("ab"):rep(-1), ("ab"):rep(1), (""):rep(1000), ("x"):rep(3, ","), ("x"):rep(1, ","), ("x"):rep(0, ","), (""):rep(3, "-"), ("a"):rep(2, ""))
print(#("abc"):rep(1000), #("a"):rep(100, "--"), ("\0"):rep(3):byte(1, -1)); print(string.rep(7, 3), ("x"):rep("2"), ("x"):rep(2.0))
err(string.rep); err(string.rep, "x"); err(string.rep, "x", {}); err(string.rep, "x", 2, {}); err(string.rep, "x", 1.5)
err(string.rep, "x", math.maxinteger); err(string.rep, "xx", 1 << 62); err(string.rep, "x", 1 << 62, "yyyy")
-- reverse, lower, upper
print(("abc"):reverse(), (""):reverse(), ("a"):reverse(), ("a\0b"):reverse():byte(1, -1)); print(string.reverse(123))
print(("Hello World 1!"):lower(), ("Hello World 1!"):upper(), (""):lower(), string.upper("x1y"), string.lower(5.5))
-- only ASCII letters change
local high = {}
for i = 128, 255 do high[#high + 1] = string.char(i) end
high = table.concat(high)
print(high:lower() == high, high:upper() == high, ("\0aZ"):upper() == "\0AZ", ("@[`{"):lower(), ("@[`{"):upper())
err(string.len); err(string.lower, {}); err(string.upper, nil); err(string.reverse)
-- methods on literals and through variables
local s = "method"
print(s:upper():lower():reverse():rep(2, "|"):len(), ("x"):rep(3) .. "y", #s:sub(2), s.len == string.len, s.nothing)
err(function() return s:nope() end); err(function() s.x = 1 end); err(function() return ("x").y.z end)
