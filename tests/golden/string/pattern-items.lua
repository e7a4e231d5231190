--- pass
--- a*	aaa
--- a+	aaa
--- a-	
--- a?	a
--- a*	
--- a+	aaa
--- a-b	aaab
--- a*	
--- a+	nil
--- a?b	ab
--- a?b	b
--- ^a-b$	aab
--- <(.-)>	<x
--- <(.*)>	<x>
--- %[%[(.-)%]%]	a
--- ([^,]*),([^,]*),([^,]*),(.*)	a|b||c
--- ^(%w+)=(%w*)$	x|1
--- ^%s*(.-)%s*$	trim
--- ^hel	hel
--- ^el	nil
--- llo$	llo
--- hell$	nil
--- ^hello$	hello
--- ^$	
--- a$b	a$b
--- a^b	a^b
--- ^^a	^a
--- a$$	a$
--- $	
--- x$x	nil
--- ()ll()	3|5
--- (h(e(l)l)o)	hello|ell|l
--- ()	1
--- (x*)	
--- (%w+)%s*=%s*(%w+)	key|value
--- (%d+)-(%d+)-(%d+)	2024|05|06
--- ((a)(b)(c))	abc|a|b|c
--- (a)()(b)()	a|2|b|3
--- (["'])(.-)%1	"|it's
--- (%w+)%1	abc
--- (.)%1	z
--- (%w)%1 (%w)%2	a|b
--- ^(a)(b)%1%2$	a|b
--- (.)%1	nil
--- (=*)%[%[(.-)%]%]%1	=|x
--- %b()	(a(b)c)
--- %b()	(())
--- ^%b()$	nil
--- %b{}	{a{b}c}
--- %bxy	x then y
--- %b||	||
--- (%b())(%b())	(1)|(2)
--- %b()	nil
--- %b[]	[2]
--- %f[%a]%a+%f[%A]	THE
--- %f[%l]%a+	quick
--- %f[%w]bar	bar
--- %f[%w]bar	nil
--- %f[%z]	
--- %f[%w]	
--- %f[^%[]a	a
--- a%f[^a]	a
--- %f[%z]	nil
--- 6	10
--- a <b  <c	2
--- a> b>  c	2
--- abc$	1
--- b.	bc
--- ^a	a
--- ^a	nil
--- c	c
--- ()	4
--- ()	nil
--- (.*)X(.*)	aXb|c
--- (.-)X(.*)	a|bXc
--- ^(.-)X(.-)$	a|bXc
--- %d*%a-b	12ab
--- ^a-a?a*$	aaa
--- ^a?a?a?a?aaaa$	nil
--- ;?(%w+);?(%w*)	one|two
--- ^[+-]?%d+%.?%d*[eE]?[+-]?%d*$	-12.5e3
--- 	abc		1	3
---
-- Manual 6.4.1: repetition, anchors, captures, back references, %b, %f.
local function m(s, p, i) local r = table.pack(s:match(p, i)); for k = 1, r.n do r[k] = tostring(r[k]) end print(p, table.concat(r, "|")) end
m("aaa", "a*"); m("aaa", "a+"); m("aaa", "a-"); m("aaa", "a?"); m("baaa", "a*"); m("baaa", "a+"); m("aaab", "a-b"); m("", "a*"); m("", "a+"); m("ab", "a?b"); m("b", "a?b"); m("aab", "^a-b$")
m("<<x>>", "<(.-)>"); m("<<x>>", "<(.*)>"); m("[[a]] [[b]]", "%[%[(.-)%]%]"); m("a,b,,c", "([^,]*),([^,]*),([^,]*),(.*)"); m("x=1", "^(%w+)=(%w*)$"); m("  trim  ", "^%s*(.-)%s*$")
m("hello", "^hel"); m("hello", "^el"); m("hello", "llo$"); m("hello", "hell$"); m("hello", "^hello$"); m("", "^$"); m("a$b", "a$b"); m("a^b", "a^b"); m("^a", "^^a"); m("a$", "a$$"); m("x", "$"); m("x", "x$x")
-- position captures, nested captures, empty captures
m("hello", "()ll()"); m("hello", "(h(e(l)l)o)"); m("hello", "()"); m("hello", "(x*)"); m("key = value", "(%w+)%s*=%s*(%w+)"); m("2024-05-06", "(%d+)-(%d+)-(%d+)"); m("abc", "((a)(b)(c))"); m("abc", "(a)()(b)()")
-- back references
m([["it's"]], [[(["'])(.-)%1]]); m("abcabc", "(%w+)%1"); m("xyzzy", "(.)%1"); m("aa bb", "(%w)%1 (%w)%2"); m("abab", "^(a)(b)%1%2$"); m("abc", "(.)%1"); m("=[[x]]=", "(=*)%[%[(.-)%]%]%1")
-- %b
m("f(a(b)c)d", "%b()"); m("((())", "%b()"); m("(()", "^%b()$"); m("{a{b}c}{d}", "%b{}"); m("if x then y end", "%bxy"); m("||a||", "%b||"); m("x(1)(2)", "(%b())(%b())"); m(")(", "%b()"); m("a[1][2]", "%b[]", 3)
-- %f
m("THE (quick) fox", "%f[%a]%a+%f[%A]"); m("THE (quick) fox", "%f[%l]%a+"); m("foo.bar", "%f[%w]bar"); m("foobar", "%f[%w]bar"); m("x", "%f[%z]"); m("word", "%f[%w]"); m("[[a]]", "%f[^%[]a"); m("aab", "a%f[^a]"); m("", "%f[%z]")
print(("THE (quick) fox"):find("%f[%a]%a+", 5)); print(("a b  c"):gsub("%f[%S]", "<")); print(("a b  c"):gsub("%f[%s]", ">")); print(("abc"):gsub("%f[%z]", "$"))
-- start position
m("abcabc", "b.", 3); m("abcabc", "^a", 4); m("abcabc", "^a", 3); m("abc", "c", -1); m("abc", "()", 4); m("abc", "()", 5)
-- greedy against lazy, and backtracking over several items
m("aXbXc", "(.*)X(.*)"); m("aXbXc", "(.-)X(.*)"); m("aXbXc", "^(.-)X(.-)$"); m("12ab", "%d*%a-b"); m("aaa", "^a-a?a*$"); m(("a"):rep(20), "^a?a?a?a?aaaa$"); m("one;two", ";?(%w+);?(%w*)"); m("-12.5e3", "^[+-]?%d+%.?%d*[eE]?[+-]?%d*$")
print(("abc"):match(".-"), ("abc"):match(".-$"), ("abc"):match("(.-)(.*)"), select("#", ("abc"):match("b")), select("#", ("abc"):match("()()()")))
