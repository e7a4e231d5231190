--- pass
--- %a+	3	one two three
--- .	7	o n e   t w o
--- (%w+)=(%w+)	2	k1:v1 k2:v2
--- ()	4	1 2 3 4
--- ()(.)	3	1:a 2:b 3:c
--- .	0	
--- ()	1	1
--- X	2	X X
--- %d+	3	2024 01 02
--- ([^,]*)	4	a b  c
--- l*	4	  ll 
--- x*	4	   
--- a-	4	   
--- a-b	1	aaab
--- ([^;]*)	4	one two  four
--- x*	1	xx
--- %s*	3	   
--- ^a	2	^a ^a
--- ^a	0	
--- %$	2	$ $
--- b$	0	
--- b$	1	b
--- .	3	d e f
--- .	2	e f
--- .	0	
--- ()	1	4
--- ()	0	
--- .	3	a b c
--- .	3	a b c
--- ((%a)(%d+))	2	a1:a:1 b22:b:22
--- %f[%a]%a+	3	THE quick fox
--- (%a)(%b())	2	f:(x) g:(y(z))
--- (x)()	2	x:2 x:4
--- world	Lua
--- 3
--- <l1><l2><><l4>
--- a	b	nil	nil	0
--- x	y	x	z	y
--- function	1
--- false	unfinished capture
--- false	golden:72: malformed pattern (missing ']')
--- a	b	c	end
---
-- Manual 6.4: string.gmatch.
local function all(s, p, i) local r = {}; for a, b, c in s:gmatch(p, i) do r[#r + 1] = tostring(a) .. (b ~= nil and ":" .. tostring(b) or "") .. (c ~= nil and ":" .. tostring(c) or "") end print(p, #r, table.concat(r, " ")) end
all("one two  three", "%a+"); all("one two", "."); all("k1=v1, k2=v2", "(%w+)=(%w+)"); all("abc", "()"); all("abc", "()(.)"); all("", "."); all("", "()"); all("aXbX", "X"); all("2024-01-02", "%d+"); all("a,b,,c", "([^,]*)"); all("hello", "l*"); all("abc", "x*"); all("aaa", "a-"); all("aaab", "a-b")
-- a pattern does not match anew at the end of the last match when empty
all("one;two;;four", "([^;]*)"); all("xx", "x*"); all("a b", "%s*")
-- ^ is no anchor in gmatch
all("^a^a", "^a"); all("aaa", "^a"); all("a$b$", "%$"); all("ab$", "b$"); all("abab", "b$")
-- third argument: where to start
all("abcdef", ".", 4); all("abcdef", ".", -2); all("abc", ".", 10); all("abc", "()", 4); all("abc", "()", 5); all("abc", ".", 0); all("abc", ".", -100)
-- captures nested and positions
all("a1b22", "((%a)(%d+))"); all("THE (quick) fox", "%f[%a]%a+"); all("f(x)g(y(z))", "(%a)(%b())"); all("xyxy", "(x)()")
-- building a table, counting, nested loops
local t = {}
for k, v in ("from=world, to=Lua"):gmatch("(%w+)=(%w+)") do t[k] = v end
print(t.from, t.to)
local n = 0
for line in ("a\nb\n\nc"):gmatch("[^\n]+") do for c in line:gmatch(".") do n = n + 1 end end
print(n)
for line in ("l1\nl2\n\nl4\n"):gmatch("(.-)\n") do io.write("<", line, ">") end print()
-- the iterator keeps its own subject and stays at the end
local it = ("ab"):gmatch(".")
print(it(), it(), it(), it(), select("#", it()))
local it1, it2 = ("xyz"):gmatch("."), ("xyz"):gmatch(".")
print(it1(), it1(), it2(), it1(), it2())
print(type(string.gmatch("x", "x")), select("#", string.gmatch("x", "x")))
-- bad patterns are noticed when used
print(pcall(string.gmatch("abc", "(")))
print(pcall(function() for w in ("abc"):gmatch("[") do end end))
local co = coroutine.wrap(function() for w in ("a b c"):gmatch("%a") do coroutine.yield(w) end return "end" end)
print(co(), co(), co(), co())
