--- pass
--- 97
--- 233
--- 97	233	8364	128512
--- 233	8364
--- 233
--- 128512
--- 8364
--- 0	0	0
--- invalid UTF-8 code
--- bad argument #2 to 'utf8.codepoint' (out of bounds)
--- bad argument #3 to 'utf8.codepoint' (out of bounds)
--- bad argument #3 to 'utf8.codepoint' (out of bounds)
--- bad argument #3 to 'utf8.codepoint' (out of bounds)
--- bad argument #1 to 'utf8.codepoint' (string expected, got no value)
--- bad argument #2 to 'utf8.codepoint' (number expected, got string)
--- bad argument #2 to 'utf8.codepoint' (out of bounds)
--- invalid UTF-8 code
--- invalid UTF-8 code
--- invalid UTF-8 code
--- invalid UTF-8 code
--- invalid UTF-8 code
--- invalid UTF-8 code
--- 55296	2147483647	1114112	57343
--- 0	3	4	2	3	2	1	1	1	1	0	0	0	0
--- 4	3	4	3	1	2
--- nil	2
--- nil	3
--- nil	1
--- nil	2
--- nil	3
--- nil	3
--- nil	1
--- nil	1
--- nil	1
--- nil	1
--- nil	2
--- nil	1
--- nil	1
--- nil	1
--- nil	1
--- nil	1
--- nil	2
--- 1	2	nil	1
--- nil	1
--- bad argument #2 to 'utf8.len' (initial position out of bounds)
--- bad argument #2 to 'utf8.len' (initial position out of bounds)
--- bad argument #3 to 'utf8.len' (final position out of bounds)
--- bad argument #2 to 'utf8.len' (initial position out of bounds)
--- bad argument #1 to 'utf8.len' (string expected, got no value)
--- bad argument #1 to 'utf8.len' (string expected, got table)
--- bad argument #2 to 'utf8.len' (number expected, got string)
--- bad argument #2 to 'utf8.len' (number has no integer representation)
--- 5	2	0	0	0
--- 7/5 12/6 12/6 9/3 9/3 10/5 8/2 12/10 
---
-- Manual 6.5: utf8.codepoint, utf8.len.
local function err(f, ...) print((select(2, pcall(f, ...)))) end
local s = "aé€😀"
print(utf8.codepoint(s)); print(utf8.codepoint(s, 2)); print(utf8.codepoint(s, 1, -1)); print(utf8.codepoint(s, 2, 4)); print(utf8.codepoint(s, 2, 3)); print(utf8.codepoint(s, -4)); print(utf8.codepoint(s, 4, 4)); print(select("#", utf8.codepoint(s, 3, 2)), select("#", utf8.codepoint("", 1, 0)), utf8.codepoint("\0"))
err(utf8.codepoint, s, 3); err(utf8.codepoint, s, 0); err(utf8.codepoint, s, 11); err(utf8.codepoint, s, 1, 11); err(utf8.codepoint, "", 1); err(utf8.codepoint); err(utf8.codepoint, "x", "y"); err(utf8.codepoint, s, -20); err(utf8.codepoint, "\xff"); err(utf8.codepoint, "\xe2\x82"); err(utf8.codepoint, "\x80"); err(utf8.codepoint, "ab\xff", 1, -1)
-- lax: surrogates and values above 10FFFF
err(utf8.codepoint, "\u{D800}"); err(utf8.codepoint, "\u{110000}"); print(utf8.codepoint("\u{D800}", 1, 1, true), utf8.codepoint("\u{7FFFFFFF}", 1, 1, true), utf8.codepoint("\u{110000}\u{DFFF}", 1, -1, true))
print(utf8.len(""), utf8.len("abc"), utf8.len(s), utf8.len("\0\0"), utf8.len(s, 2), utf8.len(s, 4), utf8.len(s, -4), utf8.len(s, 1, 1), utf8.len(s, 2, 3), utf8.len(s, 2, 2), utf8.len(s, 11), utf8.len(s, 5, 4), utf8.len("abc", 4), utf8.len("abc", 3, 2))
print(utf8.len(s, 1, -2), utf8.len(s, 1, 6), utf8.len(s, 1, 7), utf8.len("abc", 0 + 1, -1), utf8.len("abc", -1), utf8.len("abc", -3, -2))
-- invalid bytes: fail and the position of the first bad one
print(utf8.len("a\x80")); print(utf8.len("ab\xe2\x82")); print(utf8.len("\xff")); print(utf8.len("é", 2)); print(utf8.len("aé", 3)); print(utf8.len("ok\xc0\x80")); print(utf8.len("\xc1\xbf")); print(utf8.len("\xe0\x80\x80")); print(utf8.len("\xf0\x80\x80\x80")); print(utf8.len("\u{D800}")); print(utf8.len("x\u{DFFF}")); print(utf8.len("\u{110000}")); print(utf8.len("\xf4\x90\x80\x80")); print(utf8.len("\xfe\x80")); print(utf8.len("\xc3")); print(utf8.len("\xc3a")); print(utf8.len("a\xe2\x28\xa1"))
print(utf8.len("\u{D800}", 1, -1, true), utf8.len("\u{110000}\u{7FFFFFFF}", 1, -1, true), utf8.len("\xff", 1, -1, true)); print(utf8.len("\xc0\x80", 1, -1, true))
err(utf8.len, "abc", 5); err(utf8.len, "abc", 0); err(utf8.len, "abc", 1, 4); err(utf8.len, "abc", -4); err(utf8.len); err(utf8.len, {}); err(utf8.len, "abc", "x"); err(utf8.len, "abc", 1.5); print(utf8.len(12345), utf8.len("abc", "2"), utf8.len("", 1), utf8.len("", 1, -1), utf8.len("abc", 1, 0))
-- a sentence in several scripts
for _, w in ipairs { "Grüße", "Ελλάδα", "Привет", "日本語", "한국어", "עברית", "🙂🙃", "naïve café" } do io.write(#w, "/", utf8.len(w), " ") end print()
