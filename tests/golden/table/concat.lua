--- pass
--- 	123	a,b	1 2.5 x	only
--- 2-3-4	2-3	true	3	z-a	m,z
--- true	a,b	ab	ab	a1b	4
--- bad argument #1 to 'table.concat' (table expected, got no value)
--- bad argument #1 to 'table.concat' (table expected, got number)
--- invalid value (table) at index 1 in table for 'concat'
--- invalid value (table) at index 2 in table for 'concat'
--- invalid value (nil) at index 2 in table for 'concat'
--- invalid value (boolean) at index 1 in table for 'concat'
--- invalid value (nil) at index 1 in table for 'concat'
--- bad argument #2 to 'table.concat' (string expected, got table)
--- bad argument #3 to 'table.concat' (number expected, got string)
--- invalid value (function) at index 1 in table for 'concat'
--- invalid value (nil) at index 3 in table for 'concat'
--- v1 v2 v3 v4	v3 v4 v5 v6
--- object length is not an integer
--- object length is not an integer
--- bad argument #1 to 'table.concat' (table expected, got string)
--- bad argument #1 to 'table.concat' (table expected, got function)
--- last	a,b	first
--- 18893	28891
---
-- Manual 6.6: table.concat.
local function err(f, ...) print((select(2, pcall(f, ...)))) end
print(table.concat({}), table.concat({ 1, 2, 3 }), table.concat({ "a", "b" }, ","), table.concat({ 1, 2.5, "x" }, " "), table.concat({ "only" }, ","))
print(table.concat({ 1, 2, 3, 4 }, "-", 2), table.concat({ 1, 2, 3, 4 }, "-", 2, 3), table.concat({ 1, 2, 3 }, "-", 3, 2) == "", table.concat({ 1, 2, 3 }, "-", 3, 3), table.concat({ [0] = "z", "a" }, "-", 0, 1), table.concat({ [-1] = "m", [0] = "z" }, ",", -1, 0))
print(table.concat({}, "x", 1, 0) == "", table.concat({ "a", "b", nil, "d" }, ",", 1, 2), table.concat({ "a", "b" }, ""), table.concat({ "a", "b" }, nil), table.concat({ "a", "b" }, 1), table.concat({ "a\0", "b" }, "\0"):len())
err(table.concat); err(table.concat, 5); err(table.concat, { {} }); err(table.concat, { 1, {}, 3 }); err(table.concat, { 1, nil, 3 }, ",", 1, 3); err(table.concat, { true }); err(table.concat, {}, ",", 1, 1); err(table.concat, { 1 }, {}); err(table.concat, { 1 }, ",", "x"); err(table.concat, { print }); err(table.concat, { 1, 2 }, ",", 1, 3)
-- metamethods: __index and __len are respected
local p = setmetatable({}, { __len = function() return 4 end, __index = function(_, i) return "v" .. i end })
print(table.concat(p, " "), table.concat(p, " ", 3, 6))
err(table.concat, setmetatable({}, { __len = function() return "x" end })); err(table.concat, setmetatable({}, { __len = function() return 1.5 end }))
-- an object that is no table but behaves as one is refused without metamethods
err(table.concat, "abc"); err(table.concat, print)
-- extreme positions
local m = math.maxinteger
print(table.concat({ [m] = "last" }, ",", m, m), table.concat({ [m - 1] = "a", [m] = "b" }, ",", m - 1, m), table.concat({ [math.mininteger] = "first" }, ",", math.mininteger, math.mininteger))
local big = {}
for i = 1, 5000 do big[i] = i end
print(#table.concat(big), #table.concat(big, ", "))
