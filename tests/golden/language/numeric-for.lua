--- pass
--- 5	1 2 3 4 5
--- 1	1
--- 0	
--- 3	5 3 1
--- 4	0 -1 -2 -3
--- 4	1 4 7 10
--- 3	10 6 2
--- 5	-2 -1 0 1 2
--- 3	1 2 3
--- 3	1.0 2.0 3.0
--- 3	1.0 2.0 3.0
--- 5	0.0 0.25 0.5 0.75 1.0
--- 5	1.0 0.75 0.5 0.25 0.0
--- 2	3 2
--- 2	-1 -2
--- 14	1 2 3 4 5 6 7 8 9 10 11 12 13 ...
--- 0	
--- 14	-1 -2 -3 -4 -5 -6 -7 -8 -9 -10 -11 -12 -13 ...
--- 1	0.5
--- 0	
--- 3	9223372036854775805 9223372036854775806 9223372036854775807
--- 3	-9223372036854775806 -9223372036854775807 -9223372036854775808
--- 2	9223372036854775802 9223372036854775805
--- 2	-9223372036854775803 -9223372036854775806
--- 1	9223372036854775807
--- 1	-9223372036854775808
--- 0	
--- 3	-9223372036854775808 -1 9223372036854775806
--- 2	9223372036854775807 -1
--- 4	-9223372036854775808 -4611686018427387904 0 4611686018427387904
--- 1	9223372036854775806
--- 1	1
--- 1	-1
--- 2	9223372036854775806 9223372036854775807
--- 2	-9223372036854775807 -9223372036854775808
--- 2	9223372036854775806 9223372036854775807
--- 2	-9223372036854775807 -9223372036854775808
--- 3	1.0 4.5035996273705e+15 9.007199254741e+15
--- 0	
--- 0	
--- 1	3
--- 0	
--- 1	-4
--- golden:78: 'for' step is zero
--- golden:79: 'for' step is zero
--- golden:80: 'for' step is zero
--- golden:81: bad 'for' initial value (number expected, got nil)
--- golden:82: bad 'for' limit (number expected, got nil)
--- golden:83: bad 'for' step (number expected, got table)
--- golden:84: bad 'for' initial value (number expected, got string)
--- golden:85: bad 'for' limit (number expected, got function)
--- 1	1 2 3
--- 5,6,1;5,6,2;nil
--- 500500
--- true
---
-- Manual 3.3.5: the numerical for loop.
local function run(a, b, c)
  local t = {}
  if c then for i = a, b, c do t[#t + 1] = i; if #t > 12 then t[#t + 1] = "..."; break end end
  else for i = a, b do t[#t + 1] = i; if #t > 12 then t[#t + 1] = "..."; break end end end
  for k, v in ipairs(t) do t[k] = tostring(v) end
  print(#t, table.concat(t, " "))
end
run(1, 5); run(1, 1); run(1, 0); run(5, 1, -2); run(0, -3, -1); run(1, 10, 3); run(10, 1, -4); run(-2, 2)
-- floats: if start and step are integers, the loop is over integers
run(1, 3.9); run(1.0, 3); run(1, 3, 1.0); run(0, 1, 0.25); run(1, 0, -0.25); run(3, 1.5, -1); run(-1, -2.5, -1)
run(1, math.huge); run(1, -math.huge); run(-1, -math.huge, -1); run(0.5, 1); run(1, 0 / 0)
-- no overflow: the loop ends at the limits of integers
local max, min = math.maxinteger, math.mininteger
run(max - 2, max); run(min + 2, min, -1); run(max - 5, max, 3); run(min + 5, min, -3); run(max, max); run(min, min); run(max, min)
run(min, max, max); run(max, min, min); run(min, max, 1 << 62); run(max - 1, max, max); run(1, max, max); run(-1, min, min)
run(max - 1, math.huge); run(min + 1, -math.huge, -1); run(max - 1, 2^63); run(min + 1, -2^70, -1); run(1, 2^53, 2^52)
run(1, -1, max); run(3, 2.99999); run(3, 3.0); run(-3, -3.5); run(-4, -3.5)
-- errors
local function err(f) print((select(2, pcall(f)))) end
err(function() for i = 1, 10, 0 do end end)
err(function() for i = 1, 10, 0.0 do end end)
err(function() for i = 1.0, 10, -0.0 do end end)
err(function() for i = nil, 1 do end end)
err(function() for i = 1, nil do end end)
err(function() for i = 1, 2, {} do end end)
err(function() for i = "a", 2 do end end)
err(function() for i = 1, print do end end)
-- the expressions are evaluated once, and the variable is a local copy
local n = 0
local function limit() n = n + 1; return 3 end
local seen = {}
for i = 1, limit() do seen[#seen + 1] = i; i = i * 10 end
print(n, table.concat(seen, " "))
for i = 1, 2 do for i = 5, 6 do io.write(i, ",") end io.write(i, ";") end
print(i)
local acc = 0
for i = 1, 1000 do acc = acc + i end
print(acc)
acc = 0
for x = 0.1, 1, 0.1 do acc = acc + 1 end
print(acc == 9 or acc == 10)
