--- pass
--- 10	10	a	nil	false	false	nil	20
--- true	false	false	true	nil	false	0
--- 2	2	2	2	1	2
--- 3	3	nil	true
--- or 1
--- and 1
--- true	3
--- false	2
--- 1	1	1
--- 1	1
--- true	false	true	five	yes
--- big	middle
--- default	1	default
--- default	1	false
--- false	true	1	true	1	2
--- 1 2 Fizz 4 Buzz Fizz 7 8 Fizz Buzz 11 Fizz 13 14 FizzBuzz end
---
-- Manual 3.4.5: and, or, not; short-cut evaluation.
print(10 or 20, 10 or error(), nil or "a", nil and 10, false and error(), false and nil, false or nil, 10 and 20)
print(not nil, not 0, not not nil, not not 0, nil and nil, nil or false, false or nil or 0)
print(1 and nil or 2, 1 and false or 2, nil and 1 or 2, 1 and 2 or 3, 1 or 2 and 3, nil or 1 and 2)
print(1 and 2 and 3, nil or nil or 3, 1 and nil and error(), (nil or false) == false)
-- in conditions, assignments and arguments
local calls = 0
local function t() calls = calls + 1; return true end
local function f() calls = calls + 1; return false end
if t() or t() then io.write("or ", calls, "\n") end
calls = 0; if f() and t() then io.write("never\n") else io.write("and ", calls, "\n") end
calls = 0; local r = f() or f() or t() or f(); print(r, calls)
calls = 0; local q = not (t() and not f()); print(q, calls)
-- and/or give one value, even from a call that has many
local function many() return 1, 2, 3 end
print((many()), many() or 0, true and many())
print(select("#", nil or many()), select("#", (many())))
-- comparison inside
local x = 5
print(x > 1 and x < 10, x > 1 and x < 3, x < 1 or x == 5, not (x == 5) or "five", x == 5 and "yes" or "no")
print(x and x > 3 and "big" or "small", (x < 3 and "small") or (x < 10 and "middle") or "large")
-- default of a parameter, and its trap with false
local function opt(v) v = v or "default"; return v end
print(opt(), opt(1), opt(false))
local function opt2(v) if v == nil then v = "default" end; return v end
print(opt2(), opt2(1), opt2(false))
-- precedence: not binds tighter than ==, and tighter than or
print(not 1 == nil, not (1 == nil), not nil and 1, not nil == true, 1 or 2 == 3, nil == nil and 2)
local s = ""
for i = 1, 15 do s = s .. (i % 15 == 0 and "FizzBuzz" or i % 5 == 0 and "Buzz" or i % 3 == 0 and "Fizz" or i) .. " " end
print(s .. "end")
