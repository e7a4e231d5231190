--- pass
--- 1	2	3
--- 2	1
--- 3	nil	nil
--- 1	2
--- 1	2	3	nil
--- 0	1	2	3
--- 1	10	nil	nil
--- 1	nil	nil	nil
--- 1	nil
--- nil	nil
--- nil	1
--- 4	20	nil
--- 3	-1
--- 3	1	2
--- 5	new
--- one	two
--- 7	8
--- 1	nil
--- 5	6
--- nil
--- false
--- false	golden:89: attempt to index a nil value (local 't')
--- false	golden:90: attempt to index a string value (local 's')
--- false	golden:91: attempt to index a number value (local 'n')
--- false	golden:92: attempt to index a number value (upvalue 'a')
---
-- Manual 3.3.3: multiple assignment, adjustment, order.
local a, b, c = 1, 2, 3
print(a, b, c)
a, b = b, a
print(a, b)
a, b, c = c
print(a, b, c)
a, b = 1, 2, error and 3
print(a, b)
local function f() return 1, 2, 3 end
local x, y, z, w = f()
print(x, y, z, w)
x, y, z, w = 0, f()
print(x, y, z, w)
x, y, z, w = f(), 10
print(x, y, z, w)
x, y, z, w = (f())
print(x, y, z, w)
x, y = ((f()))
print(x, y)
local function none() end
x, y = none()
print(x, y)
x, y = none(), 1
print(x, y)
-- all expressions are evaluated before any assignment
local i, t = 3, {}
i, t[i] = i + 1, 20
print(i, t[3], t[4])
local p, q = 1, 2
p, q = p + q, p - q
print(p, q)
t = { 1, 2, 3 }
t[1], t[2], t[3] = t[3], t[1], t[2]
print(t[1], t[2], t[3])
do
  local a = { x = {} }
  local old = a
  a.x, a = 5, { x = "new" }
  print(old.x, a.x)
end
-- chains of fields, calls as prefixes
local o = { p = { q = { 1, 2 } } }
o.p.q[1], o.p["q"][2] = "one", "two"
print(o.p.q[1], o.p.q[2])
local function get() return o end
get().p.r, get()["s"] = 7, 8
print(o.p.r, o.s)
-- assigning to a global and to upvalues
g1, g2 = 1
print(g1, g2)
local u = 1
local function setu(...) u, g1 = ... end
setu(5, 6)
print(u, g1)
g1 = nil
-- nil removes; every table constructor call makes a new table
t = { a = 1 }; t.a = nil
print(next(t))
local function new() return {} end
print(new() == new())
print(pcall(function() local t; t.x = 1 end))
print(pcall(function() local s = "str"; s.x = 1 end))
print(pcall(function() local n = 5; n[1] = 1 end))
print(pcall(function() a.b.c.d = 1 end))
