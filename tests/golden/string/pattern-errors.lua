--- pass
--- (	unfinished capture
--- (a	unfinished capture
--- )	nil
--- a)	nil
--- (()	unfinished capture
--- %	malformed pattern (ends with '%')
--- [	malformed pattern (missing ']')
--- [a	malformed pattern (missing ']')
--- [^]	malformed pattern (missing ']')
--- [a%	malformed pattern (missing ']')
--- %b	malformed pattern (missing arguments to '%b')
--- %bx	malformed pattern (missing arguments to '%b')
--- %f	missing '[' after '%f' in pattern
--- %fa	missing '[' after '%f' in pattern
--- %1	invalid capture index %1
--- (a)%2	invalid capture index %2
--- %0	invalid capture index %0
--- (a%1)	invalid capture index %1
--- %9	invalid capture index %9
--- *	nil	+	?x	-	a)	]	}
--- 34	too many captures
--- 32	too many captures
--- false	pattern too complex
--- false	pattern too complex
--- 50000	50000	50000	nil	50000	true	50000
--- 2000
--- bad argument #1 to 'string.match' (string expected, got no value)
--- bad argument #2 to 'string.match' (string expected, got no value)
--- bad argument #1 to 'string.match' (string expected, got nil)
--- bad argument #2 to 'string.match' (string expected, got table)
--- bad argument #3 to 'string.match' (number expected, got table)
--- bad argument #2 to 'string.gmatch' (string expected, got no value)
--- bad argument #1 to 'string.gmatch' (string expected, got nil)
--- bad argument #2 to 'string.gsub' (string expected, got no value)
--- bad argument #3 to 'string.gsub' (string/function/table expected, got no value)
--- bad argument #3 to 'string.gsub' (string/function/table expected, got boolean)
--- bad argument #3 to 'string.gsub' (string/function/table expected, got nil)
--- bad argument #4 to 'string.gsub' (number expected, got string)
--- bad argument #1 to 'string.gsub' (string expected, got table)
--- invalid capture index %2
--- invalid use of '%' in replacement string
--- invalid use of '%' in replacement string
--- invalid capture index %2
--- invalid replacement value (a table)
--- invalid replacement value (a boolean)
--- invalid replacement value (a table)
--- cb
--- yxy
---
-- Manual 6.4.1: malformed patterns and the limits of the matcher.
local function err(s, p, ...) print(p, (select(2, pcall(string.find, s, p, ...)))) end
err("a", "("); err("a", "(a"); err("a", ")"); err("a", "a)"); err("a", "(()"); err("a", "%"); err("a", "["); err("a", "[a"); err("a", "[^]"); err("a", "[a%"); err("a", "%b"); err("a", "%bx"); err("a", "%f"); err("a", "%fa"); err("a", "%1"); err("a", "(a)%2"); err("a", "%0"); err("aa", "(a%1)"); err("a", "%9")
-- a star after nothing special is an ordinary character; so are others at odd places
print(("*a"):match("^*"), ("a"):match("^*"), ("+"):match("+"), ("?x"):match("?x"), ("-"):match("-"), ("a)"):match("a%)"), ("]"):match("]"), ("}"):match("}"))
-- captures: up to 32
local p = ("()"):rep(32)
print(select("#", ("x"):find(p)), (select(2, pcall(string.find, "x", p .. "()"))))
print(select("#", ("x"):rep(32):match(("(x)"):rep(32))), (select(2, pcall(string.match, ("x"):rep(33), ("(x)"):rep(33)))))
-- recursion of the matcher is bounded by an error, not by a crash
local ok, m = pcall(string.match, ("a"):rep(1000), (".-"):rep(1000))
print(ok, m)
local ok2, m2 = pcall(string.find, ("x"):rep(1000), ("x?"):rep(1000) .. "y")
print(ok2, ok2 and m2 or m2)
-- a long subject with simple repetitions is fine: these do not recurse
local s = ("a"):rep(50000)
print(#s:match(".*"), #s:match(".-$"), #s:match("a+"), s:find("b"), #s:match("^(a*)$"), (s:gsub("a", "")) == "", #s:match("[^b]*"))
print(#(("("):rep(1000) .. (")"):rep(1000)):match("%b()"))
-- arguments
local function e(f, ...) print((select(2, pcall(f, ...)))) end
e(string.match); e(string.match, "x"); e(string.match, nil, "x"); e(string.match, "x", {}); e(string.match, "x", "x", {}); e(string.gmatch, "x"); e(string.gmatch, nil, "x"); e(string.gsub, "x"); e(string.gsub, "x", "x"); e(string.gsub, "x", "x", true); e(string.gsub, "x", "x", nil); e(string.gsub, "x", "x", "y", "z"); e(string.gsub, {}, "x", "y")
e(string.gsub, "x", "x", "%2"); e(string.gsub, "x", "x", "%"); e(string.gsub, "x", "x", "%a"); e(string.gsub, "x", "(x)", "%2"); e(string.gsub, "x", "x", function() return {} end); e(string.gsub, "x", "x", function() return true end); e(string.gsub, "x", "x", { x = print and {} }); e(string.gsub, "x", "x", function() error("cb", 0) end); e(string.gsub, "x", "(", "y")
