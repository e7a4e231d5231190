--- pass
--- add(o,1)	sub(o,2)	mul(o,3)	div(o,4)	mod(o,5)	pow(o,6)	idiv(o,7)
--- add(1,o)	sub(2,o)	mul(3,o)	div(4,o)	mod(5,o)	pow(6,o)	idiv(7,o)
--- add(o,o)	add(o,s)	add(s,o)	add(nil,o)	add(o,nil)	mul(true,o)	sub(o,o)	idiv(o,1.5)
--- unm	unm
--- add(o,1000000)	sub(o,100000)	mul(1.5,o)	mul(o,1e+300)	mod(o,-1)	idiv(o,9223372036854775807)	add(9.2233720368548e+18,o)
--- p	q	q*	q*
--- true	1	nil	1
--- string	string
--- true	add(abc,o)
--- golden:49: attempt to perform arithmetic on a table value (upvalue 'plain')
--- golden:49: attempt to perform arithmetic on a table value (upvalue 'plain')
--- golden:49: attempt to perform arithmetic on a table value (upvalue 'plain')
--- golden:49: attempt to perform arithmetic on a table value (upvalue 'plain')
--- golden:49: attempt to mul a 'string' with a 'table'
--- golden:49: attempt to perform arithmetic on a table value (upvalue 'plain')
--- golden:49: attempt to perform arithmetic on a table value (field 'v')
--- golden:49: attempt to perform arithmetic on a table value (upvalue 'plain')
--- golden:49: attempt to perform arithmetic on a nil value
--- called
--- golden:52: attempt to call a number value (metamethod 'add')
--- golden:52: attempt to call a string value (metamethod 'unm')
--- golden:54: in mul
--- 5/6	3/4	2/1	-1/4
---
-- Manual 2.4: __add __sub __mul __div __mod __pow __unm __idiv.
local log
local function rec(ev) return function(a, b) log = ev .. "(" .. (type(a) == "table" and "o" or tostring(a)) .. "," .. (type(b) == "table" and "o" or tostring(b)) .. ")"; return log, "dropped" end end
local mt = { __add = rec "add", __sub = rec "sub", __mul = rec "mul", __div = rec "div", __mod = rec "mod", __pow = rec "pow", __idiv = rec "idiv", __unm = function(a, b) return "unm", rawequal(a, b) end }
local o = setmetatable({}, mt)
print(o + 1, o - 2, o * 3, o / 4, o % 5, o ^ 6, o // 7)
print(1 + o, 2 - o, 3 * o, 4 / o, 5 % o, 6 ^ o, 7 // o)
print(o + o, o + "s", "s" + o, nil + o, o + nil, true * o, o - {}, print == nil or o // 1.5)
print(-o, (-o))
-- constants and large integers as operands
print(o + 1000000, o - 100000, 1.5 * o, o * 1e300, o % -1, o // math.maxinteger, 2^63 + o)
-- the first operand's metamethod goes first
local p = setmetatable({}, { __add = function() return "p" end })
local q = setmetatable({}, { __add = function() return "q" end, __mul = function() return "q*" end })
print(p + q, q + p, p * q, q * p)
-- __unm gets the operand twice; results are cut to one value
local u = setmetatable({}, { __unm = function(a, b) return rawequal(a, b) end, __add = function() return 1, 2, 3 end, __sub = function() end })
print(-u, select("#", u + 1), u - 1, (function() return u + 1 end)())
-- string metamethods: arithmetic on strings tries the other operand's metamethod
print("10" + setmetatable({}, { __add = function(a) return type(a) end }), setmetatable({}, { __mul = function(_, b) return type(b) end }) * "10")
print(pcall(function() return "abc" + o end))
local function err(f) print((select(2, pcall(f)))) end
local plain = setmetatable({}, {})
err(function() return plain + 1 end); err(function() return 1 - plain end); err(function() return -plain end); err(function() return plain // plain end); err(function() return "x" * plain end); err(function() return 2 ^ plain end); err(function() local t = { v = plain }; return t.v % 2 end); err(function() return plain / nil end); err(function() return nil / plain end)
-- a metamethod that is not a function but callable; or not callable
print(setmetatable({}, { __add = setmetatable({}, { __call = function(self, a, b) return "called", type(a), b end }) }) + 5)
err(function() return setmetatable({}, { __add = 5 }) + 1 end); err(function() return -setmetatable({}, { __unm = "x" }) end)
-- errors inside keep their place
err(function() return setmetatable({}, { __mul = function() error("in mul") end }) * 2 end)
-- numbers of a rational class
local R = {}
R.__index = R
local function gcd(a, b) while b ~= 0 do a, b = b, a % b end return a end
local function rat(n, d) local g = gcd(math.abs(n), d or 1); return setmetatable({ n = n // g, d = (d or 1) // g }, R) end
local function num(x) return type(x) == "number" and rat(x) or x end
R.__add = function(a, b) a, b = num(a), num(b); return rat(a.n * b.d + b.n * a.d, a.d * b.d) end
R.__sub = function(a, b) return num(a) + -num(b) end
R.__mul = function(a, b) a, b = num(a), num(b); return rat(a.n * b.n, a.d * b.d) end
R.__unm = function(a) return rat(-a.n, a.d) end
R.__tostring = function(a) return a.n .. "/" .. a.d end
print(tostring(rat(1, 2) + rat(1, 3)), tostring(1 - rat(1, 4)), tostring(rat(2, 3) * 3), tostring(-rat(2, 4) * rat(1, 2)))
