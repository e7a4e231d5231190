--- pass
--- &(o,1)	&(1,o)	|(o,2)	|(2,o)	~(o,3)	~(3,o)	<<(o,4)	<<(4,o)	>>(o,5)	>>(5,o)	bnottrue	lentrue
--- &(o,o)	|(o,s)	~(s,o)	<<(o,nil)	>>(true,o)	&(o,1.5)	|(1.1805916207174e+21,o)	<<(o,-1)	>>(o,1000)
--- ..(o,x)	..(x,o)	..(o,1)	..(1,o)	..(o,o)	..(o,nil)	..(nil,o)	..(o,true)	..(o,o)	..(o,1.5)
--- a..(b,o)	..(o,ab)	a..(o,b)	12..(o,3)
--- golden:34: attempt to perform bitwise operation on a table value (upvalue 'plain')
--- golden:34: attempt to perform bitwise operation on a table value (upvalue 'plain')
--- golden:34: attempt to perform bitwise operation on a table value (upvalue 'plain')
--- golden:34: attempt to perform bitwise operation on a table value (upvalue 'plain')
--- golden:34: attempt to concatenate a table value (upvalue 'plain')
--- golden:34: attempt to concatenate a table value (upvalue 'plain')
--- golden:34: attempt to concatenate a table value (upvalue 'plain')
--- golden:34: attempt to concatenate a nil value
--- &(1.5,o)	~(o,0.5)
--- golden:36: number has no integer representation
--- golden:36: attempt to perform bitwise operation on a string value (constant 'x')
--- golden:36: attempt to perform bitwise operation on a table value
--- 10	str	1	nil
--- 1	1	a	b
--- false	3
--- {1,2,3,4}	{3}	{1,2,4}	3	4	{1,2,3}!	?{3,4}	{1,2,3}{3,4}
---
-- Manual 2.4: __band __bor __bxor __bnot __shl __shr __concat __len.
local function s(x) return type(x) == "table" and "o" or tostring(x) end
local function rec(ev) return function(a, b) return ev .. "(" .. s(a) .. "," .. s(b) .. ")" end end
local o = setmetatable({}, { __band = rec "&", __bor = rec "|", __bxor = rec "~", __shl = rec "<<", __shr = rec ">>", __concat = rec "..", __bnot = function(a, b) return "bnot" .. tostring(rawequal(a, b)) end, __len = function(a, b) return "len" .. tostring(rawequal(a, b) or b) end })
print(o & 1, 1 & o, o | 2, 2 | o, o ~ 3, 3 ~ o, o << 4, 4 << o, o >> 5, 5 >> o, ~o, #o)
print(o & o, o | "s", "s" ~ o, o << nil, true >> o, o & 1.5, 2^70 | o, o << -1, o >> 1000)
print(o .. "x", "x" .. o, o .. 1, 1 .. o, o .. o, o .. nil, nil .. o, o .. true, {} .. o, print == nil or o .. 1.5)
print("a" .. "b" .. o, o .. "a" .. "b", "a" .. o .. "b", 1 .. 2 .. o .. 3)
-- unlike arithmetic, __concat is also tried when both operands are no numbers or strings
local function err(f) print((select(2, pcall(f)))) end
local plain = setmetatable({}, {})
err(function() return plain & 1 end); err(function() return 1 | plain end); err(function() return ~plain end); err(function() return plain << plain end); err(function() return plain .. "x" end); err(function() return "x" .. plain end); err(function() return "a" .. "b" .. plain end); err(function() return nil .. plain end)
-- floats without integer representation meet the metamethod of the other operand first
print(1.5 & o, o ~ 0.5); err(function() return 1.5 & 1 end); err(function() return "x" & 1 end); err(function() return 1 & {} end)
-- __len: any result, also for what # is applied to by the library
print(#setmetatable({ 1, 2, 3 }, { __len = function() return 10 end }), #setmetatable({}, { __len = function() return "str" end }), #setmetatable({}, { __len = function() return 1, 2 end }), #setmetatable({}, { __len = function() end }))
print(select("#", #setmetatable({}, { __len = function() return 1, 2 end })), rawlen(setmetatable({ 1 }, { __len = function() return 5 end })), table.unpack(setmetatable({ "a", "b", "c" }, { __len = function() return 2 end })))
-- strings: # ignores metatables, .. of strings never calls one
print(getmetatable(""), #"abc")
-- sets by operators
local Set = {}
Set.__index = Set
local function set(l) local r = setmetatable({}, Set); for _, v in ipairs(l) do r[v] = true end return r end
Set.__bor = function(a, b) local r = set {}; for k in pairs(a) do r[k] = true end for k in pairs(b) do r[k] = true end return r end
Set.__band = function(a, b) local r = set {}; for k in pairs(a) do if b[k] then r[k] = true end end return r end
Set.__bxor = function(a, b) local r = set {}; for k in pairs(a | b) do if not (rawget(a, k) and rawget(b, k)) then r[k] = true end end return r end
Set.__len = function(a) local n = 0; for _ in pairs(a) do n = n + 1 end return n end
Set.__tostring = function(a) local l = {}; for k in pairs(a) do l[#l + 1] = tostring(k) end table.sort(l); return "{" .. table.concat(l, ",") .. "}" end
Set.__concat = function(a, b) return tostring(a) .. tostring(b) end
local A, B = set { 1, 2, 3 }, set { 3, 4 }
print(tostring(A | B), tostring(A & B), tostring(A ~ B), #A, #(A | B), A .. "!", "?" .. B, A .. B)
