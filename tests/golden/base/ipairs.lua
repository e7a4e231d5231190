--- pass
--- 
--- 1=a 2=b 3=c
--- 1=a
--- 1=one
--- 
--- 
--- 1=false 2=true
--- 1=a
--- function	table	0	1	10
--- 2	20
--- nil
--- nil	6	six
--- true
--- 6	6
--- 1
--- 1=1 2=4 3=9
--- 1=own 2=inherited
--- bad argument #1 to 'ipairs' (value expected)
--- attempt to index a nil value
--- attempt to index a number value
--- 3
---
-- Manual 6.1: ipairs.
local function list(t) local r = {}; for i, v in ipairs(t) do r[#r + 1] = i .. "=" .. tostring(v) end print(table.concat(r, " ")) end
list {}; list { "a", "b", "c" }; list { "a", nil, "c" }; list { [0] = "zero", "one" }; list { [2] = "two" }; list { x = 1 }; list { false, true }
list { "a", [3] = "c", [1.5] = "no" }
local f, s, c = ipairs { 10, 20 }
print(type(f), type(s), c, f(s, 0)); print(f(s, 1)); print(f(s, 2)); print(f({}, 5), f({ [6] = "six" }, 5))
print(ipairs {} == ipairs {})
-- growing while iterating is seen; stops at the first nil
local t, n = { 1, 2, 3 }, 0
for i, v in ipairs(t) do n = n + 1; if i < 6 then t[i + 1] = i + 1 end end
print(n, #t)
t = { 1, 2, 3, 4 }; n = 0
for i in ipairs(t) do t[i + 1] = nil; n = n + 1 end
print(n)
-- respects __index
list(setmetatable({}, { __index = function(_, i) if i <= 3 then return i * i end end }))
list(setmetatable({ "own" }, { __index = { "no", "inherited", [4] = "no" } }))
-- any value may be given; strings index their metatable
for i, v in ipairs("str") do print("never") end
local function err(f, ...) print((select(2, pcall(f, ...)))) end
err(ipairs); err(function() for i in ipairs(nil) do end end); err(function() for i in ipairs(5) do end end)
print(select("#", ipairs({}, 1, 2)))
