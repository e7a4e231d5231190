--- pass
--- 3	10	30	nil
--- 1	2	3	4	5	6	first	7
--- 3	4	2	1	1	4	0
--- 1	a
--- 2	a	a	nil
--- 1	nil	3	1	1	3	3	1	1
--- 3	4
--- positional
--- p1	p2	e3
--- a k b c d	a	b	c	d
--- 42	3	42
--- 1	3	nil
--- 120	2	100	102	200	240
--- 123	1	3
--- false	golden:61: table index is nil
--- false	golden:62: table index is NaN
---
-- Manual 3.4.9: fields by position, name and expression.
local function f() return "a", "b", "c" end
local function n(t) local c = 0; for _ in pairs(t) do c = c + 1 end; return c end
local t = { 10, 20, 30 }
print(#t, t[1], t[3], t[4])
t = { x = 1, y = 2, ["z w"] = 3, [10] = 4, [1.5] = 5, [true] = 6, "first" }
print(t.x, t.y, t["z w"], t[10], t[1.5], t[true], t[1], n(t))
-- a call at the end gives all its results, elsewhere one
print(#{ f() }, #{ f(), f() }, #{ f(), 1 }, #{ (f()) }, #{ f(), nil }, #{ 1, f() }, #{ x = f() })
t = { f(), x = f() }
print(#t, t.x)
t = { f(), f(), n = 1 }
print(#t, t[1], t[2], t[4])
local function va(...) return { ... }, { ..., 1 }, { n = select("#", ...), ... }, { (...) } end
local a, b, c, d = va(1, nil, 3)
print(a[1], a[2], a[3], b[1], b[2], c.n, c[3], #d, d[1])
-- separators
t = { 1; 2, 3; n = 4, }
print(#t, t.n)
-- positional fields count apart from the others
t = { [1] = "explicit", "positional" }
print(t[1])
t = { "p1", [2] = "e2", "p2", [3] = "e3" }
print(t[1], t[2], t[3])
-- fields are evaluated in order
local log = {}
local function v(x) log[#log + 1] = x; return x end
t = { v "a", [v "k"] = v "b", x = v "c", v "d" }
print(table.concat(log, " "), t[1], t.k, t.x, t[2])
-- nested, with functions, and referring to earlier locals
local m = { name = "m", sub = { deep = { value = 42 } }, add = function(a, b) return a + b end }
print(m.sub.deep.value, m.add(1, 2), m["sub"]["deep"].value)
-- nil values leave no field
t = { a = nil, nil, nil, 3 }
print(n(t), t[3], t.a)
-- 120 fields: more than one flush of 50
local src = {}
for i = 1, 120 do src[i] = tostring(i * 2) end
t = load("return {" .. table.concat(src, ",") .. "}")()
print(#t, t[1], t[50], t[51], t[100], t[120])
t = load("return {" .. table.concat(src, ",") .. ", ...}")(1, 2, 3)
print(#t, t[121], t[123])
print(pcall(function() return { [nil] = 1 } end))
print(pcall(function() return { [0 / 0] = 1 } end))
