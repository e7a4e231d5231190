--- pass
--- heLLo	2
--- heLlo	1
--- hello	0
--- hello	0
--- hello	0
--- -h-e-l-l-o-	6
--- x	1
--- -a-bc	2
--- aabbcc	3
--- %%%	3
--- heo	2
--- <hello> <world>	2
--- <hello> <world>	2
--- world hello	1
--- cbaabc	1
--- 1a2b3c4	4
--- a%b	1
--- 104 101 108 108 111 	5
--- 1a2b	2
--- abc	3
--- a42c	1
--- a1.5c	1
--- a2,3c	1
--- a%1c	1
--- 1	1
--- Lua is 30, $x	3
--- 1b3	3
--- firstc	1
--- ABC	3
--- <ab>	3
--- baa	1
--- aab	1
--- hell0 world	1
--- ABC DEF	2
--- -a-c-	3
--- x  	1
--- a, b,c	1
--- _o_n_e_t_w_o_	7
--- xab	1
--- xhxexox	4
--- aabbc	2
--- hel-lo	1
--- x**2	1
--- a+b+c	2
--- a+b+c	2
--- (x)	2
--- 15351	2
--- a7c	1
--- bba	2
--- bba	2
--- bbb	3
--- &lt;a href=&quot;x&quot;&gt;&amp;&lt;/a&gt;
--- Hello World From Lua
--- Hello	a%20b%26c
--- 1+2=${z}
--- one two three	3	a0b	camel_case_word
--- nested [9] end
--- aabb ccdd
--- false	attempt to yield across a C-call boundary
--- true	true	true
---
-- Manual 6.4: string.gsub.
print(("hello"):gsub("l", "L")); print(("hello"):gsub("l", "L", 1)); print(("hello"):gsub("l", "L", 0)); print(("hello"):gsub("l", "L", -1)); print(("hello"):gsub("x", "y")); print(("hello"):gsub("", "-")); print((""):gsub("", "x")); print(("abc"):gsub("", "-", 2)); print(("abc"):gsub(".", "%0%0")); print(("abc"):gsub("%w", "%%")); print(("hello"):gsub("l", ""))
-- captures in the replacement: %0 whole, %1 first (or whole without captures)
print(("hello world"):gsub("(%w+)", "<%1>")); print(("hello world"):gsub("%w+", "<%1>")); print(("hello world"):gsub("(%w+) (%w+)", "%2 %1")); print(("abc"):gsub("(a)(b)(c)", "%3%2%1%0")); print(("abc"):gsub("()", "%1")); print(("a.b"):gsub("%.", "%%"))
-- function as replacement: captures as arguments; nil and false keep the match
print(("hello"):gsub(".", function(c) return c:byte() .. " " end)); print(("a1b2"):gsub("(%a)(%d)", function(a, d) return d .. a end)); print(("abc"):gsub("%w", function(c) if c == "b" then return false end return nil end)); print(("abc"):gsub("b", function() return 42 end)); print(("abc"):gsub("b", function() return 1.5 end)); print(("abc"):gsub("()b()", function(i, j) return i .. "," .. j end)); print(("abc"):gsub("b", function() return "%1" end)); print(("x"):gsub("x", function(...) return select("#", ...) end))
-- table as replacement: looked up by the first capture
print(("$name is $age, $x"):gsub("%$(%w+)", { name = "Lua", age = 30 })); print(("abc"):gsub("%w", { a = "1", b = false, c = 3 })); print(("abc"):gsub("(.)(.)", { a = "first" })); print(("abc"):gsub(".", setmetatable({}, { __index = function(_, k) return k:upper() end }))); print(("ab"):gsub("()", { [1] = "<", [3] = ">" }))
-- anchors, limits, empty matches
print(("aaa"):gsub("^a", "b")); print(("aaa"):gsub("a$", "b")); print(("hello world"):gsub("o", "0", 1)); print(("abc def"):gsub("%f[%w]%w+", string.upper)); print(("abc"):gsub("b*", "-")); print(("  x  "):gsub("^%s+", "")); print(("a,b,c"):gsub(",", ", ", 1)); print(("one two"):gsub("%s*", "_")); print(("abab"):gsub("^ab", "x", 5)); print(("hello"):gsub("l*", "x"))
print(string.gsub("abc", "%w", "%0%0", 2)); print(string.gsub("hello", "(l)(l)", "%2-%1")); print(("x^2"):gsub("%^", "**")); print(("a-b-c"):gsub("-", "+")); print(("a-b-c"):gsub("%-", "+")); print(("[x]"):gsub("[%[%]]", { ["["] = "(", ["]"] = ")" }))
-- numbers for the replacement and the subject; a limit that is a float or a string
print(string.gsub(12321, 2, 5)); print(("abc"):gsub("b", 7)); print(("aaa"):gsub("a", "b", 2.0)); print(("aaa"):gsub("a", "b", "2")); print(("aaa"):gsub("a", "b", nil))
-- programs with gsub
local function escape(s) return (s:gsub("[&<>\"]", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" })) end
print(escape('<a href="x">&</a>'))
print((("hello world from lua"):gsub("(%w)(%w*)", function(a, b) return a:upper() .. b end)))
print((("%48%65%6C%6c%6F"):gsub("%%(%x%x)", function(h) return string.char(tonumber(h, 16)) end)), (("a b&c"):gsub("[^%w]", function(c) return ("%%%02X"):format(c:byte()) end)))
local function expand(s, env) return (s:gsub("%${(.-)}", env)) end
print(expand("${x}+${y}=${z}", { x = 1, y = 2 }))
print((("one  two   three"):gsub("%s+", " ")), select(2, ("banana"):gsub("a", "")), (("a\0b"):gsub("\0", "0")), (("CamelCaseWord"):gsub("(%l)(%u)", "%1_%2"):lower()))
print((("nested (a (b) c) end"):gsub("%b()", function(s) return "[" .. #s .. "]" end)))
-- gsub is called again inside the callback, and yields are refused
print((("ab cd"):gsub("%a+", function(w) return (w:gsub(".", function(c) return c .. c end)) end)))
print(coroutine.wrap(function() return pcall(string.gsub, "x", "x", coroutine.yield) end)())
-- an unchanged subject comes back as itself
local s = "unchanged" print(s:gsub("z", "y") == s, (s:gsub(".", {})) == s, (s:gsub(".", function() end)) == s)
