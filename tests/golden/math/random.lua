--- pass
--- true	1	7	-5	3	integer
--- 8
--- true	true	true	true	true
--- true	true
--- true	false	true	false	true	true	true
--- -1276290044721465627	8333941968102511665	-8358531260401861301
--- 46	16	99	322740054239
--- 0.77898184896709 0.38808095006413
--- integer	integer	true	true
--- 2
--- true	true
--- bad argument #1 to 'math.random' (interval is empty)
--- bad argument #1 to 'math.random' (interval is empty)
--- bad argument #1 to 'math.random' (interval is empty)
--- wrong number of arguments
--- bad argument #1 to 'math.random' (number has no integer representation)
--- bad argument #1 to 'math.random' (number expected, got string)
--- bad argument #2 to 'math.random' (number expected, got table)
--- bad argument #1 to 'math.randomseed' (number expected, got string)
--- bad argument #1 to 'math.randomseed' (number expected, got table)
--- bad argument #2 to 'math.randomseed' (number expected, got string)
--- bad argument #1 to 'math.random' (number expected, got nil)
--- 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20
---
-- Manual 6.7: math.random and math.randomseed: ranges and repeatability, never particular numbers of an unseeded state.
local function err(f, ...) print((select(2, pcall(f, ...)))) end
local ok = true
for i = 1, 500 do local x = math.random(); ok = ok and x >= 0 and x < 1 and math.type(x) == "float" end
for i = 1, 500 do local x = math.random(6); ok = ok and x >= 1 and x <= 6 and math.type(x) == "integer" end
for i = 1, 500 do local x = math.random(-3, 3); ok = ok and x >= -3 and x <= 3 end
print(ok, math.random(1), math.random(7, 7), math.random(-5, -5), math.random(3.0, "3"), math.type(math.random(0)))
-- all values of a small range turn up
local seen, n = {}, 0
for i = 1, 400 do local x = math.random(8); if not seen[x] then seen[x] = true; n = n + 1 end end
print(n)
-- the whole range of integers
local neg, pos = false, false
for i = 1, 100 do local x = math.random(math.mininteger, math.maxinteger); if x < 0 then neg = true else pos = true end end
print(neg, pos, math.random(math.maxinteger) >= 1, math.random(math.mininteger, math.mininteger) == math.mininteger, math.random(math.maxinteger - 1, math.maxinteger) >= math.maxinteger - 1)
neg, pos = 0, 0
for i = 1, 200 do if math.random(0) < 0 then neg = neg + 1 else pos = pos + 1 end end
print(neg > 50, pos > 50)
-- the same seed gives the same sequence
local function seq(...) math.randomseed(...); local t = {}; for i = 1, 10 do t[i] = math.random(1000000) end return table.concat(t, ",") end
print(seq(42) == seq(42), seq(42) == seq(43), seq(1, 2) == seq(1, 2), seq(1, 2) == seq(1, 3), seq(42) == seq(42.0), seq(42) == seq(42, 0), seq(-1) == seq(-1))
-- xoshiro256** seeded with (n, 0): the generator of 5.4 is fixed by its implementation
math.randomseed(42); print(math.random(0), math.random(0), math.random(0)); math.randomseed(123, 456); print(math.random(1, 100), math.random(1, 100), math.random(1, 100), math.random(1 << 40))
math.randomseed(7); print(string.format("%.14f %.14f", math.random(), math.random()))
-- without arguments a seed is chosen; both components are returned and restore the sequence
local a, b = math.randomseed()
local first = { math.random(0), math.random(0) }
math.randomseed(a, b)
print(math.type(a), math.type(b), math.random(0) == first[1], math.random(0) == first[2])
print(select("#", math.randomseed(5)))
-- a rough check of evenness
math.randomseed(2024)
local count, sum = {}, 0
for i = 1, 4000 do local x = math.random(4); count[x] = (count[x] or 0) + 1; sum = sum + math.random() end
for i = 1, 4 do ok = ok and count[i] > 850 and count[i] < 1150 end
print(ok, sum > 1900 and sum < 2100)
err(math.random, 0, -1); err(math.random, -1); err(math.random, 2, 1); err(math.random, 1, 2, 3); err(math.random, 1.5); err(math.random, "x"); err(math.random, 1, {}); err(math.randomseed, "x"); err(math.randomseed, {}); err(math.randomseed, 1, "x"); err(math.random, nil)
-- shuffling keeps the elements
local t = {}
for i = 1, 20 do t[i] = i end
for i = #t, 2, -1 do local j = math.random(i); t[i], t[j] = t[j], t[i] end
table.sort(t); print(table.concat(t, " "))
