--- pass
--- 7	3	nil	1	1	0
--- 4	4
--- nil
--- 4	4
--- 1	1
--- 6	5
--- nil
--- nil
--- 1	0
--- nil
--- nil
--- 1	2	2	2
--- 2	2
--- nil
--- 1	3
--- 2	2
--- 3	3
--- 5	7
--- nil
--- 1	1
--- 4	4
--- 4	5
--- 3	3
--- 3	3
--- 2	3
--- 3	4
--- 3	4	l	l
--- 3	3	3	4
--- 1	1	
--- 1	7	key	val
--- 3	3
--- 2	2
--- 2	2
--- nil
--- nil
--- 501	501
--- 401	403
--- 50	51
--- bad argument #1 to 'string.find' (string expected, got no value)
--- bad argument #2 to 'string.find' (string expected, got no value)
--- bad argument #1 to 'string.find' (string expected, got table)
--- bad argument #2 to 'string.find' (string expected, got table)
--- bad argument #3 to 'string.find' (number expected, got string)
--- bad argument #3 to 'string.find' (number has no integer representation)
--- 3	nil
--- 1	1
--- 2	2
--- 1	2	4
--- 1-3 9-11 17-19
---
-- Manual 6.4: string.find, positions and plain search.
local function err(f, ...) print((select(2, pcall(f, ...)))) end
print(("hello world"):find("wor"), ("hello"):find("l"), ("hello"):find("xyz"), ("hello"):find(""), (""):find(""))
print(("hello"):find("l", 4)); print(("hello"):find("l", 5)); print(("hello"):find("l", -2)); print(("hello"):find("h", -100)); print(("hello"):find("", 6)); print(("hello"):find("", 7)); print(("hello"):find("", 100)); print((""):find("", 1)); print((""):find("", 2)); print((""):find("x"))
print(("a.b"):find("."), ("a.b"):find(".", 1, true), ("a.b"):find("%.")); print(("a+b"):find("+", 1, true)); print(("a+b"):find("a+b")); print(("[x]"):find("[x]", 1, true)); print(("a%b"):find("%", 1, true))
print(("hello"):find("l", 1, false)); print(("a.c abc"):find("a.c", 2)); print(("a.c abc"):find("a.c", 2, true)); print(("x"):find("x", 1, 0))
print(("a\0b\0c"):find("\0", 3)); print(("a\0b\0c"):find("\0c", 1, true)); print(("a\0b"):find("b")); print(("ab\0"):find("%z")); print(("a\0\0b"):find("[\0]+"))
print(("hello"):find("l+")); print(("hello"):find("(l)(l)")); print(("hello"):find("()l()")); print(("hello"):find("(x?)h")); print(("key=val"):find("(%w+)=(%w+)"))
print(("aaa"):find("a", -1)); print(("aaa"):find("^a", 2)); print(("baa"):find("^a", 2)); print(("baa"):find("^a"))
print(("x"):rep(500):find("y")); print((("x"):rep(500) .. "y"):find("y", 1, true)); print((("ab"):rep(200) .. "aab"):find("aab", 1, true)); print(("ab"):rep(50):find("ba", 50, true))
err(string.find); err(string.find, "x"); err(string.find, {}, "x"); err(string.find, "x", {}); err(string.find, "x", "x", "y"); err(string.find, "x", "x", 1.5)
print(string.find(12345, 34), string.find("12345", 3.0)); print(("a"):find("a", nil, true)); print(("abc"):find("b", "2"))
print(select("#", ("abc"):find("z")), select("#", ("abc"):find("b")), select("#", ("abc"):find("(b)(c)")))
-- all positions of a word
local s, pos, at = "the cat the dog the end", 1, {}
while true do
  local a, b = s:find("the", pos, true)
  if not a then break end
  at[#at + 1] = a .. "-" .. b
  pos = b + 1
end
print(table.concat(at, " "))
