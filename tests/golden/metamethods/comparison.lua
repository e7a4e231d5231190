--- pass
--- true false	eqab eqab
--- true true	ltab ltba
--- false false	leab leba
--- false false	ltab eqab
--- true false false false false true	
--- false true	
--- true true true true false false	lta1 lt1a lt1a lta1 leax leax
--- true true	ltanil ltnila
--- true true	ltap ltpa
--- true true	eqap eqpa
--- true false true true	eqaq Qqa Qltqa ltaq
--- golden:49: attempt to compare two table values
--- golden:49: attempt to compare number with table
--- true	true
--- golden:50: attempt to compare two table values
--- golden:50: attempt to compare table with number
--- golden:50: attempt to compare two table values
--- golden:50: attempt to compare number with table
--- golden:52: attempt to call a number value (metamethod 'lt')
--- golden:52: attempt to call a table value (metamethod 'eq')
--- in le
--- equal not le less
--- 1	2	3	true	true	true	false	false	true
--- 3	2	1
--- 2	nil
--- true	false	true	false	false	false	true
--- true	true	true	true	true	true	false	true
---
-- Manual 2.4: __eq __lt __le.
local log = {}
local function rec(ev, r) return function(a, b) log[#log + 1] = ev .. (type(a) == "table" and a.n or tostring(a)) .. (type(b) == "table" and b.n or tostring(b)); return r end end
local function flush(...) local r = table.pack(...); for i = 1, r.n do r[i] = tostring(r[i]) end print(table.concat(r, " "), table.concat(log, " ")); log = {} end
local mt = { __eq = rec("eq", 1), __lt = rec("lt", "yes"), __le = rec("le", nil) }
local function o(n) return setmetatable({ n = n }, mt) end
local a, b = o "a", o "b"
-- results are always booleans; > and >= swap; ~= negates
flush(a == b, a ~= b); flush(a < b, a > b); flush(a <= b, a >= b); flush(not (a < b), not (a == b))
-- the same object is equal without asking; other types never ask
flush(a == a, a == 1, a == "a", a == nil, 1 == a, a ~= nil); flush(rawequal(a, b), rawequal(a, a))
-- one operand of another type: __lt and __le are tried, __eq is not
flush(a < 1, 1 < a, a > 1, 1 > a, a <= "x", "x" >= a); flush(a < nil, nil < a); flush(a < {n = "p"}, {n = "p"} < a)
-- __eq needs two tables (or two userdata); the first operand's goes first, then the second's
local p = setmetatable({ n = "p" }, {}); flush(a == p, p == a)
local q = setmetatable({ n = "q" }, { __eq = rec("Q", false), __lt = rec("Qlt", 0) }); flush(a == q, q == a, q < a, a < q)
-- no __le by negation of __lt
local function err(f) print((select(2, pcall(f)))) end
local onlylt = setmetatable({}, { __lt = function() return true end })
err(function() return onlylt <= onlylt end); err(function() return onlylt >= 1 end); print(onlylt < 1, 1 > onlylt)
err(function() return p < p end); err(function() return p <= 1 end); err(function() return {} < p end); err(function() return 1 < p end)
-- not callable, raising
err(function() return setmetatable({}, { __lt = 1 }) < 1 end); err(function() return setmetatable({}, { __eq = {} }) == setmetatable({}, {}) end); err(function() return setmetatable({}, { __le = function() error("in le", 0) end }) <= 1 end)
-- in conditions, sorts, and library functions that compare raw
if a == b then io.write("equal ") end if not (a <= b) then io.write("not le ") end while a < b do io.write("less\n"); break end log = {}
local V = {}
V.__lt = function(x, y) return x.v < y.v end; V.__le = function(x, y) return x.v <= y.v end; V.__eq = function(x, y) return x.v == y.v end
local function v(n) return setmetatable({ v = n }, V) end
local l = { v(3), v(1), v(2) }; table.sort(l); print(l[1].v, l[2].v, l[3].v, v(1) < v(2), v(2) <= v(2), v(1) == v(1), v(1) ~= v(1), v(2) > v(3), v(3) >= v(3))
l = { v(3), v(1), v(2) }; table.sort(l, function(x, y) return x > y end); print(l[1].v, l[2].v, l[3].v)
-- table keys are raw: two equal objects are two keys
local t = {}; t[v(1)] = "x"; t[v(1)] = "y"; local n = 0; for _ in pairs(t) do n = n + 1 end print(n, t[v(1)])
-- a partial order: sets by inclusion, with NaN-like incomparable elements
local S = {}
local function set(s) return setmetatable({ s = s }, S) end
S.__le = function(x, y) for c in x.s:gmatch "." do if not y.s:find(c, 1, true) then return false end end return true end
S.__lt = function(x, y) return x <= y and not (y <= x) end
print(set "ab" <= set "abc", set "abc" <= set "ab", set "a" < set "ab", set "ab" < set "ab", set "a" <= set "b", set "b" <= set "a", set "a" >= set "")
-- numbers against objects with constants in the code
local N = setmetatable({}, { __lt = function(x, y) return type(x) == "number" and x or y end, __le = function(x, y) return (type(x) == "number" and x or y) == 100 end }); print(N < 5, 5 < N, N <= 100, 100 <= N, N > 2.5, N >= 100, N <= 99, 1000000 < N)
