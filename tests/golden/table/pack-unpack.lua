--- pass
--- 0	0	n	0
--- 1	nil
--- 4	1	nil	3	nil
--- 2	table	function
--- 
--- 1	2	3
--- 2	3
--- 2	3
--- 
--- 1	2	nil	nil
--- nil	nil	1
--- nil	1	2
--- 1
--- 3	2	0	nil	2	nil
--- 2	3
--- 1	2
--- 2	3
--- nil
--- last
--- first
--- 1	2
--- 0	0	0
--- too many results to unpack
--- too many results to unpack
--- too many results to unpack
--- too many results to unpack
--- too many results to unpack
--- too many results to unpack
--- attempt to get length of a nil value
--- attempt to get length of a nil value
--- attempt to get length of a number value
--- bad argument #2 to 'table.unpack' (number expected, got string)
--- bad argument #3 to 'table.unpack' (number expected, got table)
--- bad argument #2 to 'table.unpack' (number has no integer representation)
--- 10	20	30
--- nil	nil
--- object length is not an integer
--- 9	3	2	Lua
--- 4	8
--- 5000	5000	5000
---
-- Manual 6.6: table.pack, table.unpack.
local function err(f, ...) print((select(2, pcall(f, ...)))) end
local p = table.pack(); print(p.n, #p, next(p)); p = table.pack(nil); print(p.n, p[1]); p = table.pack(1, nil, 3, nil); print(p.n, p[1], p[2], p[3], p[4]); p = table.pack({}, print); print(p.n, type(p[1]), type(p[2]))
print(table.unpack({})); print(table.unpack({ 1, 2, 3 })); print(table.unpack({ 1, 2, 3 }, 2)); print(table.unpack({ 1, 2, 3 }, 2, 3)); print(table.unpack({ 1, 2, 3 }, 3, 2)); print(table.unpack({ 1, 2 }, 1, 4)); print(table.unpack({ 1, 2 }, -1, 1)); print(table.unpack({ 1, 2 }, 0)); print((table.unpack({ 1, 2 })))
print(select("#", table.unpack({}, 1, 3)), select("#", table.unpack({ nil, nil }, 1, 2)), select("#", table.unpack({ n = 5 })), table.unpack(table.pack(nil, 2, nil), 1, 3))
print(table.unpack({ 1, 2, 3 }, "2", 3.0)); print(table.unpack({ 1, 2, 3 }, nil, 2)); print(table.unpack({ 1, 2, 3 }, 2, nil))
local M, m = math.maxinteger, math.mininteger
print(table.unpack({}, M, M)); print(table.unpack({ [M] = "last" }, M, M)); print(table.unpack({ [m] = "first" }, m, m)); print(table.unpack({ [M - 1] = 1, [M] = 2 }, M - 1, M)); print(select("#", table.unpack({}, M, m)), select("#", table.unpack({}, 1, m)), select("#", table.unpack({}, M, M - 1)))
err(table.unpack, {}, 1, 1e7); err(table.unpack, {}, m, M); err(table.unpack, {}, 0, M); err(table.unpack, {}, 1, M); err(table.unpack, {}, m, 0); err(table.unpack, {}, -M, M)
err(table.unpack); err(table.unpack, nil); err(table.unpack, 5); err(table.unpack, {}, "x"); err(table.unpack, {}, 1, {}); err(table.unpack, {}, 1.5)
-- unpack respects __index and __len, and takes anything indexable
print(table.unpack(setmetatable({}, { __index = function(_, i) return i * 10 end, __len = function() return 3 end }))); print(table.unpack("abc", 1, 2)); err(table.unpack, setmetatable({}, { __len = function() return {} end }))
-- in calls and constructors
print(math.max(table.unpack { 3, 9, 2 }), #{ table.unpack({ 1, 2, 3 }) }, #{ table.unpack({ 1, 2, 3 }), 4 }, string.char(table.unpack { 76, 117, 97 }))
local function curry(f, ...) local a = table.pack(...); return function(...) local b = table.pack(...); local all = {}; for i = 1, a.n do all[i] = a[i] end for i = 1, b.n do all[a.n + i] = b[i] end return f(table.unpack(all, 1, a.n + b.n)) end end
print(curry(select, "#", nil)(nil, 1, nil), curry(math.max, 5)(2, 8))
local big = {}
for i = 1, 5000 do big[i] = i end
print(select("#", table.unpack(big)), (select(5000, table.unpack(big))), table.pack(table.unpack(big)).n)
