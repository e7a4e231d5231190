--- pass
--- nil	boolean	number	number	string	table	function	thread
--- boolean is false
--- number is true
--- number is true
--- string is true
--- string is true
--- table is true
--- function is true
--- true	true	false	false	false
--- integer	float	nil	true	true
--- one	two	big	3	integer
--- int	str	bool	float	nil	nil
--- int	nil
--- zero	zero
--- false	golden:47: table index is nil
--- false	golden:47: table index is NaN
--- nil	nil
--- false	golden:51: table index is nil
--- false	table index is nil
--- 4	97	0	98	255
--- true	true	false	2
--- true	false	true	false	true
--- 11	21	12	13	false
---
-- Manual 2.1: the eight types, and which values are false.
print(type(nil), type(true), type(1), type(1.5), type("s"), type({}), type(print), type(coroutine.create(print)))
for _, v in ipairs { false, 0, 0.0, "", "false", {}, print } do
  io.write(type(v), " is ", v and "true" or "false", "\n")
end
print(not nil, not false, not 0, not "", not {})
-- integer and float are subtypes, not types
print(math.type(1), math.type(1.0), math.type("1"), 1 == 1.0, rawequal(1, 1.0))
-- a float key that holds an integer is that integer
local t = {}
t[1.0] = "one"; t[2] = "two"; t[2^53] = "big"
print(t[1], t[2.0], t[2^53 | 0], next({ [3.0] = true }), math.type(next({ [3.0] = true })))
-- keys are compared raw, and kinds never mix
t = { [1] = "int", ["1"] = "str", [true] = "bool", [1.5] = "float" }
print(t[1], t["1"], t[true], t[1.5], t[false], t[nil])
t["1"] = nil
print(t[1], t["1"])
-- -0.0 and 0 are one key
t = { [0] = "zero" }
print(t[-0.0], t[0.0])
-- nil and NaN are no keys, but may be asked for
local function set(k) t[k] = 1 end
print(pcall(set, nil))
print(pcall(set, 0 / 0))
print(t[0 / 0], rawget(t, nil))
print(pcall(function() return { [nil] = 1 } end))
print(pcall(rawset, t, nil, 1))
-- strings are bytes: any byte may stand in them, also zero
local s = "a\0b\xff"
print(#s, s:byte(1, -1))
print(("a\0b" < "a\0c"), "a\0b" == "a\0b", "a\0b" == "a\0c", #"\0\0")
-- tables, functions and threads are objects: equality is identity
local a, b = {}, {}
local function f() end
print(a == a, a == b, f == f, f == function() end, a ~= b)
-- closures made by one expression hold different upvalues
local fs = {}
for i = 1, 3 do fs[i] = function() i = i + 10; return i end end
print(fs[1](), fs[1](), fs[2](), fs[3](), fs[1] == fs[2])
