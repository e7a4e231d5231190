--- pass
--- 14	20	10	3	512.0	64.0	5.0	6	6
--- -4.0	-0.25	true	false	2	-2	false	-1
--- 15	33	64	a3b	true	true
--- true	true	true	2	2	1
--- 4	8	3	11	true	true	true
--- 16.0	16.0	2	-3	1.0	2.0	-2	2	0
--- ((a+b)-c)	((a-b)-c)	((a*b)/c)	((a//b)%c)	(a^(b^c))	(a..(b..c))
--- (a+(b*c))	((a*b)+c)	(a..(b+c))	((a+b)..c)	(a<<(b..c))	((a..b)<<c)
--- ((a&b)|c)	(a|(b&c))	(a~(b&c))	(a|(b~c))	((a<<b)&c)	(a&(b>>c))	((a<<b)>>c)
--- (-(a^b))	(a^(-b))	((-a)*b)	(-(-a))	((~a)&b)	(-(~a))	(a^(-(b^c)))	(a*(-(b^c)))
--- (a|(b~(c&(d<<(a..(b+(c*(d^(-a)))))))))
--- ((((((((a^d)*c)+b)..a)<<d)&c)~b)|a)
--- -4.0	-9.0	3x	true	9	6	-3
--- 1	1	1
--- xxx	3	20	called
---
-- Manual 3.4.8: or < and < comparison < | < ~ < & < shift < .. < + - < * / // % < unary < ^
print(2 + 3 * 4, (2 + 3) * 4, 2 * 3 + 4, 10 - 4 - 3, 2 ^ 3 ^ 2, (2 ^ 3) ^ 2, 100 / 10 / 2, 7 // 2 * 2, 7 % 4 * 2)
print(-2 ^ 2, -2 ^ -2, not nil == true, not 1 == 2, - - 2, -"2" + 0, not not nil, -#"ab" + 1)
print(1 .. 2 + 3, 1 + 2 .. 3, 2 * 3 .. 4, "a" .. 1 + 2 .. "b", 1 .. 2 == "12", "a" .. "b" < "b" .. "a")
print(1 + 2 < 4, 1 < 2 and 2 < 3, 1 < 2 == true, 1 == 1 and 2 or 3, nil and 1 or 2, 1 or nil and error())
print(1 << 1 + 1, 8 >> 1 << 1, 1 | 2 ~ 3 & 4, 7 & 3 | 8, 1 | 2 == 3, 5 ~ 1 == 4, 6 & 4 < 5)
print(2 ^ 3 * 2, 2 * 2 ^ 3, -3 % 5, -(3 % 5), -3 ^ 2 % 5, 2 ^ -1 * 4, ~1.0 ^ 2, -~1, ~ -1)
-- associativity made visible by objects that write down how they were combined
local function show(x) return type(x) == "table" and x.s or tostring(x) end
local mt = {}
local function o(s) return setmetatable({ s = s }, mt) end
for ev, op in pairs { add = "+", sub = "-", mul = "*", div = "/", idiv = "//", mod = "%", pow = "^", concat = "..",
  band = "&", bor = "|", bxor = "~", shl = "<<", shr = ">>" } do
  mt["__" .. ev] = function(a, b) return o("(" .. show(a) .. op .. show(b) .. ")") end
end
mt.__unm = function(a) return o("(-" .. a.s .. ")") end
mt.__bnot = function(a) return o("(~" .. a.s .. ")") end
local a, b, c, d = o "a", o "b", o "c", o "d"
print((a + b - c).s, (a - b - c).s, (a * b / c).s, (a // b % c).s, (a ^ b ^ c).s, (a .. b .. c).s)
print((a + b * c).s, (a * b + c).s, (a .. b + c).s, (a + b .. c).s, (a << b .. c).s, (a .. b << c).s)
print((a & b | c).s, (a | b & c).s, (a ~ b & c).s, (a | b ~ c).s, (a << b & c).s, (a & b >> c).s, (a << b >> c).s)
print((-a ^ b).s, (a ^ -b).s, (-a * b).s, (- -a).s, (~a & b).s, (-~a).s, (a ^ -b ^ c).s, (a * -b ^ c).s)
print((a | b ~ c & d << a .. b + c * d ^ -a).s)
print((a ^ d * c + b .. a << d & c ~ b | a).s)
-- a call or an index binds tighter than any operator
local t = { f = function() return 3 end, n = 2, s = "abc" }
print(-t.n ^ 2, -t.f() ^ 2, #t.s .. "x", not t.x, t.f() * t.f(), #t.s:rep(2), -t.s:len())
-- parentheses cut a list of results to one
local function two() return 1, 2 end
print((two()), two(), (two()))
print(("x"):rep(3), #("x"):rep(3), ({ 10, 20 })[2], (function() return "called" end)())
