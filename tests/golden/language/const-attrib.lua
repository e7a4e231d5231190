--- pass
--- 1	2	30	4
--- str	1	nil	1
--- 2	3
--- 11	25.0	-10	10	10	true	k	false	3	2	-11
--- 9 10 
--- 5	10	true	true
--- 10
--- 12
--- inner
--- 10
--- k:1: attempt to assign to const variable 'x'
--- k:1: attempt to assign to const variable 'x'
--- k:1: attempt to assign to const variable 'x'
--- k:1: attempt to assign to const variable 'x'
--- k:1: attempt to assign to const variable 'x'
--- k:1: attempt to assign to const variable 'x'
--- k:1: unknown attribute 'unknown'
--- k:1: '>' expected near ','
--- k:1: <name> expected near '1'
--- k:1: multiple to-be-closed variables in local list
--- k:1: attempt to assign to const variable 'x'
--- k:1: attempt to assign to const variable '_ENV'
--- 1
--- 6	1
--- 5
--- 3	true
---
-- Manual 3.3.7: local attributes; const.
local a <const> = 1
local b <const>, c, d <const> = 2, 3, 4
c = 30
print(a, b, c, d)
local s <const>, t <const>, n <const>, f <const> = "str", { 1 }, nil, function() return a end
print(s, t[1], n, f())
-- the variable is constant, not what it holds
t[1] = 2; t.x = 3
print(t[1], t.x)
-- constants in every place
local K <const> = 10
local F <const> = 2.5
local T <const>, N <const> = true, nil
print(K + 1, K * F, -K, K .. "", T and K, N == nil, ({ [K] = "k" })[K], K < F, K // 3, K & 6, ~K)
for i = K - 1, K do io.write(i, " ") end
print()
local function up() return K, F, T, N, function() return K end end
print((select("#", up())), (up()), select(2, up()) == 2.5, select(3, up()) == true)
print(select(5, up())())
-- shadowed freely
do local K = 11; K = K + 1; print(K) end
do local K <const> = "inner"; print(K) end
print(K)
-- assigning does not compile, wherever it stands
local function bad(src) print((select(2, load(src, "=k")))) end
bad "local x <const> = 1; x = 2"
bad "local x <const> = 1; x, y = 2, 3"
bad "local x <const> = 1; local function f() x = 2 end"
bad "local x <const> = 1; function x() end"
bad "local x <const>; x = 1"
bad "local x <close> = nil; x = 1"
bad "local x <unknown> = 1"
bad "local x <const, y = 1"
bad "local x < 1"
bad "local a <close>, b <close> = nil, nil"
bad "local x <const> = 1; return function() return function() x = x + 1 end end"
bad "local _ENV <const> = {}; _ENV = nil"
print(load("local x <const> = 1; for x = 1, 2 do x = 3 end return x")())
print(load("local x <const> = 1; return (function(x) x = x + 1; return x end)(5), x")())
-- compile-time constants as upvalues of loaded code need no upvalue
local g <const> = 5
local function h() return g end
print(h())
-- a const table used as module
local M <const> = {}
function M.add(x, y) return x + y end
function M:name() return self == M end
print(M.add(1, 2), M:name())
