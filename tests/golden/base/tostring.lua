--- pass
--- nil	true	false	1	-0.0	1.5	s	
--- 10	10.0	1e+100	-1e-07	2147483648.0	4611686018427387904	-9223372036854775808
--- inf	-inf	3.1415926535898	100.25	1e+15	123456.0
--- true	true
--- true	true
--- true	true
--- true	true
--- true	true
--- custom
--- table
--- true	true
--- wins
--- 1
--- '__tostring' must return a string
--- '__tostring' must return a string
--- inside
--- attempt to call a number value
--- bad argument #1 to 'tostring' (value expected)
--- a
--- via call
--- golden:60: attempt to perform arithmetic on a Vector value (upvalue 'named')
--- golden:60: attempt to compare number with Vector
--- golden:60: attempt to compare Vector with number
--- golden:60: attempt to concatenate a Vector value (upvalue 'named')
--- bad argument #1 to 'string.len' (string expected, got Vector)
--- bad argument #1 to 'math.floor' (number expected, got Vector)
--- golden:61: attempt to call a Vector value (upvalue 'named')
--- bad argument #2 to 'setmetatable' (nil or table expected, got boolean)
--- printed	1	nil
--- false	'__tostring' must return a string
--- true	ok
---
-- Manual 6.1: tostring, __tostring, __name.
local function err(f, ...) print((select(2, pcall(f, ...)))) end
print(tostring(nil), tostring(true), tostring(false), tostring(1), tostring(-0.0), tostring(1.5), tostring("s"), tostring(""))
print(tostring(10 // 1), tostring(10 / 1), tostring(1e100), tostring(-1e-7), tostring(2^31), tostring(1 << 62), tostring(math.mininteger))
print(tostring(1 / 0), tostring(-1 / 0), tostring(3.14159265358979), tostring(100.25), tostring(1e15), tostring(123456.0))
for _, v in ipairs { {}, print, function() end, coroutine.create(print) } do
  local s = tostring(v)
  print(s:match("^(%a+): ") == type(v) or s:match("^builtin"), s == tostring(v))
end
print(tostring({}) ~= tostring({}) or "reused", #tostring({}) > 7)
local function obj(mt) return setmetatable({}, mt) end
print(tostring(obj { __tostring = function() return "custom" end }))
print(tostring(obj { __tostring = function(o) return type(o) end }))
print(tostring(obj { __name = "MyType" }):match("^MyType: ") ~= nil, tostring(obj { __name = 5 }):match("^table: ") ~= nil)
print(tostring(obj { __name = "N", __tostring = function() return "wins" end }))
err(tostring, obj { __tostring = function() return 1 end })
err(tostring, obj { __tostring = function() return nil end })
err(tostring, obj { __tostring = function() return {} end })
err(tostring, obj { __tostring = function() error("inside", 0) end })
err(tostring, obj { __tostring = 5 })
err(tostring)
-- results beyond the first are dropped, the metamethod may be a callable object
print(tostring(obj { __tostring = function() return "a", "b" end }))
print(tostring(obj { __tostring = obj { __call = function() return "via call" end } }))
-- __name appears in messages about arguments and operators
local named = obj { __name = "Vector" }
err(function() return named + 1 end); err(function() return #named < named end); err(function() return named < 1 end); err(function() return named .. "" end)
err(string.len, named); err(math.floor, named); err(function() named() end); err(setmetatable, named, named == nil)
-- print uses it
print(obj { __tostring = function() return "printed" end }, 1, nil)
print(pcall(print, obj { __tostring = function() return {} end }))
-- strings with metatables of their own keep themselves
print(tostring("x") == "x", type(tostring(12)) == "string" and "ok")
