--- pass
--- 5	first second a b end
--- 0	x
--- 5	first second a b end
--- first	a	end
--- 2	second b
--- b	second	nil	0
--- nil	nil	zero	nil
--- nil	3
--- nil	nil	2
--- 10	nil	20	30
--- 3	1 float pos 2
--- 4	string pos 1 float pos 2
--- bad argument #1 to 'table.insert' (table expected, got no value)
--- wrong number of arguments to 'insert'
--- wrong number of arguments to 'insert'
--- bad argument #2 to 'table.insert' (position out of bounds)
--- bad argument #2 to 'table.insert' (position out of bounds)
--- bad argument #2 to 'table.insert' (position out of bounds)
--- bad argument #2 to 'table.insert' (position out of bounds)
--- bad argument #2 to 'table.insert' (number expected, got string)
--- bad argument #2 to 'table.insert' (number has no integer representation)
--- bad argument #1 to 'table.insert' (table expected, got number)
--- bad argument #1 to 'table.insert' (table expected, got nil)
--- bad argument #1 to 'table.remove' (table expected, got no value)
--- bad argument #2 to 'table.remove' (position out of bounds)
--- bad argument #2 to 'table.remove' (position out of bounds)
--- bad argument #2 to 'table.remove' (position out of bounds)
--- bad argument #2 to 'table.remove' (position out of bounds)
--- bad argument #2 to 'table.remove' (number expected, got string)
--- bad argument #1 to 'table.remove' (table expected, got string)
--- bad argument #2 to 'table.insert' (position out of bounds)
--- bad argument #2 to 'table.insert' (position out of bounds)
--- 5:1 4:2 3:3 2:4 1:5
--- w x y z	set3 get3 set4 get2 set3 get1 set2 set1
--- w	z	x y	get1 get2 set1 get3 set2 get4 set3 set4 get3 set3
--- object length is not an integer
---
-- Manual 6.6: table.insert, table.remove.
local function err(f, ...) print((select(2, pcall(f, ...)))) end
local function show(t) print(#t, table.concat(t, " ")) end
local t = {}
table.insert(t, "a"); table.insert(t, "b"); table.insert(t, 1, "first"); table.insert(t, 2, "second"); table.insert(t, #t + 1, "end"); show(t)
print(select("#", table.insert(t, "x")), table.remove(t)); show(t)
print(table.remove(t, 1), table.remove(t, 2), table.remove(t, #t)); show(t)
print(table.remove(t), table.remove(t), table.remove(t), #t); print(table.remove({}), table.remove({}, 0), table.remove({ [0] = "zero" }, 0), table.remove({}, 1))
t = { 1, 2, 3 }; print(table.remove(t, 4), #t); t[4] = nil
print(table.remove({ "a" }, 2), table.remove({ n = 1 }), table.remove({ 1, 2 }, nil))
t = { 10, 20, 30 }; table.insert(t, 2, nil); print(t[1], t[2], t[3], t[4])
t = { 1 }; table.insert(t, "2"); table.insert(t, 2.0, "float pos"); show(t); table.insert(t, "1", "string pos"); show(t)
err(table.insert); err(table.insert, {}); err(table.insert, {}, 1, 2, 3); err(table.insert, {}, 2, "x"); err(table.insert, {}, 0, "x"); err(table.insert, { 1, 2 }, 4, "x"); err(table.insert, { 1, 2 }, -1, "x"); err(table.insert, {}, "x", 1); err(table.insert, {}, 1.5, 1); err(table.insert, 5, 1); err(table.insert, nil, 1)
err(table.remove); err(table.remove, {}, 2); err(table.remove, { 1, 2 }, 4); err(table.remove, { 1, 2 }, 0); err(table.remove, { 1 }, -1); err(table.remove, { 1 }, "x"); err(table.remove, "abc"); err(table.insert, {}, math.maxinteger, 1); err(table.insert, {}, math.mininteger, 1)
-- as stack and queue
local s, q = {}, {}
for i = 1, 5 do table.insert(s, i); table.insert(q, 1, i) end
local out = {}
while #s > 0 do out[#out + 1] = table.remove(s) .. ":" .. table.remove(q) end
print(table.concat(out, " "))
-- metamethods
local log = {}
local store = { "x", "y" }
local p = setmetatable({}, { __len = function() return #store end, __index = function(_, k) log[#log + 1] = "get" .. k; return store[k] end, __newindex = function(_, k, v) log[#log + 1] = "set" .. k; store[k] = v end })
table.insert(p, "z"); table.insert(p, 1, "w"); print(table.concat(store, " "), table.concat(log, " "))
log = {}; print(table.remove(p, 1), table.remove(p), table.concat(store, " "), table.concat(log, " "))
err(table.insert, setmetatable({}, { __len = function() return "n" end }), 1)
