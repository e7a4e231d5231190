--- pass
--- 1 1 2 3
--- 2 3 3
--- 1 2 3
--- 1 2 3 nil nil
--- 1 2 1 2 3
--- 1 2 3 nil 1 2
--- 1 2 3
--- 2 3 c
--- 1 2 3
--- 1 2 3
--- true	true	true
--- 1 1 nil 3
--- nil nil nil
--- a b
--- a	b
--- a	b
--- nil	nil
--- bad argument #4 to 'table.move' (destination wrap around)
--- bad argument #3 to 'table.move' (too many elements to move)
--- bad argument #3 to 'table.move' (too many elements to move)
--- bad argument #4 to 'table.move' (destination wrap around)
--- bad argument #3 to 'table.move' (too many elements to move)
--- bad argument #3 to 'table.move' (too many elements to move)
--- bad argument #2 to 'table.move' (number expected, got no value)
--- bad argument #2 to 'table.move' (number expected, got no value)
--- bad argument #3 to 'table.move' (number expected, got no value)
--- bad argument #4 to 'table.move' (number expected, got no value)
--- bad argument #1 to 'table.move' (table expected, got number)
--- bad argument #5 to 'table.move' (table expected, got number)
--- bad argument #2 to 'table.move' (number expected, got string)
--- bad argument #2 to 'table.move' (number has no integer representation)
--- r3 w4 r2 w3 r1 w2	1 1 2 3
--- r2 w1 r3 w2	2 3 3
--- ar1 bw2 ar2 bw3	nil	7	8
--- 1 2 3 4 5 6 7
---
-- Manual 6.6: table.move.
local function err(f, ...) print((select(2, pcall(f, ...)))) end
local function show(t, a, b) local r = {}; for i = a or 1, b or #t do r[#r + 1] = tostring(t[i]) end print(table.concat(r, " ")) end
show(table.move({ 1, 2, 3 }, 1, 3, 2), 1, 4); show(table.move({ 1, 2, 3 }, 2, 3, 1)); show(table.move({ 1, 2, 3 }, 1, 3, 1)); show(table.move({ 1, 2, 3 }, 1, 0, 5), 1, 5); show(table.move({ 1, 2, 3 }, 1, 3, 3), 1, 5); show(table.move({ 1, 2, 3 }, 1, 2, 5), 1, 6)
show(table.move({ 1, 2, 3 }, 1, 3, 1, {})); show(table.move({ 1, 2, 3 }, 2, 3, 1, { "a", "b", "c" })); show(table.move({ 1, 2, 3 }, 1, 3, 0, {}), 0, 2); show(table.move({ 1, 2, 3 }, 1, 3, -1, {}), -1, 1)
local a, b = { 1, 2 }, {}
print(table.move(a, 1, 2, 1) == a, table.move(a, 1, 2, 1, b) == b, table.move(a, 2, 1, 1, b) == b)
-- nil elements are moved too
show(table.move({ 1, nil, 3 }, 1, 3, 2), 1, 4); show(table.move({ n = 1 }, 1, 3, 1, { "x", "y", "z" }), 1, 3)
-- extremes
local M, m = math.maxinteger, math.mininteger
show(table.move({ [M - 1] = "a", [M] = "b" }, M - 1, M, 1, {}), 1, 2); local t = table.move({ "a", "b" }, 1, 2, M - 1, {}); print(t[M - 1], t[M]); t = table.move({ "a", "b" }, 1, 2, m, {}); print(t[m], t[m + 1]); print(next(table.move({ 1, 2 }, M, m, 1, {})), next(table.move({}, m, m, M, {})))
err(table.move, {}, 1, M, 2); err(table.move, {}, m, M, 1); err(table.move, {}, 0, M, 1); err(table.move, {}, 1, 2, M); err(table.move, {}, m, -1, 1); err(table.move, {}, m, 0, 1)
err(table.move); err(table.move, {}); err(table.move, {}, 1); err(table.move, {}, 1, 2); err(table.move, 1, 2, 3, 4); err(table.move, {}, 1, 2, 3, 4); err(table.move, {}, "x", 2, 3); err(table.move, {}, 1.5, 2, 3)
-- metamethods, in order of direction
local function proxy(store, log, name) return setmetatable({}, { __index = function(_, k) log[#log + 1] = name .. "r" .. k; return store[k] end, __newindex = function(_, k, v) log[#log + 1] = name .. "w" .. k; store[k] = v end }) end
local log, s = {}, { 1, 2, 3 }
table.move(proxy(s, log, ""), 1, 3, 2); print(table.concat(log, " "), table.concat(s, " "))
log, s = {}, { 1, 2, 3 }; table.move(proxy(s, log, ""), 2, 3, 1); print(table.concat(log, " "), table.concat(s, " "))
log = {}; local d = {}; table.move(proxy({ 7, 8 }, log, "a"), 1, 2, 2, proxy(d, log, "b")); print(table.concat(log, " "), d[1], d[2], d[3])
-- inserting a slice
local list = { 1, 2, 6, 7 }
table.move(list, 3, #list, 6); table.move({ 3, 4, 5 }, 1, 3, 3, list); show(list)
