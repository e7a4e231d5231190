--- pass
--- true	false	true	false	true	true	true	false	true	true
--- true	false	true	true	true	true	true	true
--- false	false	true	true	false
--- false	false	true	true	true
--- true	true	true	true	true
--- true	true
--- true	true
--- false	golden:33: attempt to compare number with string
--- false	golden:33: attempt to compare string with number
--- false	golden:33: attempt to compare two table values
--- false	golden:33: attempt to compare table with number
--- false	golden:33: attempt to compare two nil values
--- false	golden:33: attempt to compare two boolean values
--- false	golden:33: attempt to compare two function values
--- false	golden:33: attempt to compare thread with number
--- false	golden:33: attempt to compare nil with table
--- golden:39: attempt to compare string with number
--- golden:40: attempt to compare number with table
--- true	true	true	true	found
--- false	golden:45: attempt to compare boolean with number
---  10 9 A B _ a aa b
--- 1 2 3 4 6 5
---
-- Manual 3.4.4: relational operators.
print(1 < 2, 2 < 1, 1 <= 1, 1 >= 2, 1 ~= 2, 1 == 1.0, "a" < "b", "a" < "B", "Z" < "a", "" < "a")
print("abc" < "abd", "abc" < "ab", "ab" < "abc", "a" <= "a", "10" < "9", "a\0a" < "a\0b", "a\0" > "a", "\x7f" < "\x80")
print(nil == false, {} == {}, "x" == "x", print == print, 1 == "1")
print(not (1 < 2), not 1 == 2, not (1 == 2), 1 < 2 == true, "a" .. "b" == "ab")
-- == and ~= accept anything and never raise
print(nil == nil, nil ~= {}, {} ~= 1, print ~= "print", true ~= 1)
local function cmp(a, b)
  local ok, m = pcall(function() return a < b end)
  print(ok, m)
end
cmp(1, 2); cmp("a", "b"); cmp(1, "a"); cmp("a", 1); cmp({}, {}); cmp({}, 1); cmp(nil, nil)
cmp(true, true); cmp(print, print); cmp(coroutine.create(print), 1); cmp(nil, {})
-- swapped operators: a > b is b < a, so the message names the operands the other way round
print((select(2, pcall(function() return 1 > "x" end))))
print((select(2, pcall(function() return {} >= 1 end))))
-- long strings equal by content
local a, b = ("x"):rep(100), ("x"):rep(50) .. ("x"):rep(50)
print(a == b, a < b .. "y", rawequal(a, b), #a == #b, ({ [a] = "found" })[b])
-- chains are no ranges
print(pcall(function() return 1 < 2 < 3 end))
-- sorting strings bytewise
local t = { "b", "B", "a", "_", "A", "10", "9", "aa", "" }
table.sort(t)
print(table.concat(t, " "))
-- evaluation: both operands always, left first
local log = {}
local function v(x) log[#log + 1] = x; return x end
local _ = v(1) < v(2), v(3) == v(4), v(6) > v(5)
print(table.concat(log, " "))
