--- pass
--- 1=97 2=233 4=8364 7=128512 
--- 1=0 2=97 
--- 1 2 golden:42: invalid UTF-8 code
--- golden:42: invalid UTF-8 code
--- golden:42: invalid UTF-8 code
--- nil
--- golden:42: invalid UTF-8 code
--- golden:42: invalid UTF-8 code
--- bad argument #1 to 'utf8.codes' (string expected, got no value)
--- bad argument #1 to 'utf8.codes' (string expected, got table)
--- bad argument #1 to 'utf8.codes' (invalid UTF-8 code)
--- 1=55296 4=2147483647 10=120 
--- function	ab	0	1	97
--- 2	98
--- 
--- 3	33
--- found at	2
--- 1	2	4	7	11	nil
--- 7	4	1	nil
--- 1	2	2	4	7	11
--- 4	4	7	2	2	4	11	1	1	nil	nil	4	nil	1	nil
--- initial position is a continuation byte
--- initial position is a continuation byte
--- bad argument #3 to 'utf8.offset' (position out of bounds)
--- bad argument #3 to 'utf8.offset' (position out of bounds)
--- bad argument #1 to 'utf8.offset' (string expected, got no value)
--- bad argument #2 to 'utf8.offset' (number expected, got no value)
--- bad argument #2 to 'utf8.offset' (number expected, got string)
--- initial position is a continuation byte
--- bad argument #3 to 'utf8.offset' (number has no integer representation)
--- 1	4	4
--- üß	世界	Gr	ñb	true	語
--- 1 2 4 7
--- 10	3
---
-- Manual 6.5: utf8.codes, utf8.offset.
local function err(f, ...) print((select(2, pcall(f, ...)))) end
local s = "aé€😀"
for p, c in utf8.codes(s) do io.write(p, "=", c, " ") end print()
for p, c in utf8.codes("") do print("never") end for p, c in utf8.codes("\0a") do io.write(p, "=", c, " ") end print()
err(function() for p, c in utf8.codes("ab\xff") do io.write(p, " ") end end); err(function() for _ in utf8.codes("\xe2\x82") do end end); err(function() for _ in utf8.codes("a\x80") do end end); err(function() for _ in utf8.codes("é", 2) do end end); err(function() for _ in utf8.codes("\u{D800}") do end end); err(function() for _ in utf8.codes("é\x80") do end end); err(utf8.codes); err(utf8.codes, {}); err(utf8.codes, "\x80")
for p, c in utf8.codes("\u{D800}\u{7FFFFFFF}x", true) do io.write(p, "=", c, " ") end print()
local f, st, c = utf8.codes("ab"); print(type(f), st, c, f(st, c)); print(f(st, 1)); print(f(st, 2)); print(f("é!", 1))
for p, c in utf8.codes("xyz") do if c == 121 then print("found at", p); break end end
-- offset: from a start, n characters forward; 0 finds the start of the character at i
print(utf8.offset(s, 1), utf8.offset(s, 2), utf8.offset(s, 3), utf8.offset(s, 4), utf8.offset(s, 5), utf8.offset(s, 6)); print(utf8.offset(s, -1), utf8.offset(s, -2), utf8.offset(s, -4), utf8.offset(s, -5)); print(utf8.offset(s, 0), utf8.offset(s, 0, 3), utf8.offset(s, 0, 2), utf8.offset(s, 0, 6), utf8.offset(s, 0, 10), utf8.offset(s, 0, 11))
print(utf8.offset(s, 2, 2), utf8.offset(s, 1, 4), utf8.offset(s, 3, 2), utf8.offset(s, -1, 4), utf8.offset(s, -2, 7), utf8.offset(s, -1, -4), utf8.offset(s, 2, -4), utf8.offset("", 1), utf8.offset("", 0), utf8.offset("", 2), utf8.offset("", -1), utf8.offset("abc", 4), utf8.offset("abc", 5), utf8.offset("abc", -3), utf8.offset("abc", -4))
err(utf8.offset, s, 1, 3); err(utf8.offset, s, -1, 5); err(utf8.offset, s, 1, 12); err(utf8.offset, s, 1, -11); err(utf8.offset); err(utf8.offset, "x"); err(utf8.offset, "x", "y"); err(utf8.offset, "\x80", 1); err(utf8.offset, "x", 1, 1.5); print(utf8.offset("\x80\x80a", 0, 2), utf8.offset("abc", 1, 4), utf8.offset("abc", 0, 4))
-- sub by characters, made of offset
local function usub(str, i, j)
  local n = utf8.len(str)
  if i < 0 then i = n + i + 1 end
  j = j or -1; if j < 0 then j = n + j + 1 end
  if i < 1 then i = 1 end if j > n then j = n end
  if i > j then return "" end
  return str:sub(utf8.offset(str, i), utf8.offset(str, j + 1) - 1)
end
print(usub("Grüße, 世界!", 3, 4), usub("Grüße, 世界!", -3, -2), usub("Grüße", 1, 2), usub("añb", 2), usub("añb", 4) == "", usub("日本語", -1))
local at = {}; for i = 1, 4 do at[i] = utf8.offset(s, i) end print(table.concat(at, " "))
-- counting by category
local n = { one = 0, more = 0 }; for _, c in utf8.codes("naïve café €5") do if c < 128 then n.one = n.one + 1 else n.more = n.more + 1 end end print(n.one, n.more)
