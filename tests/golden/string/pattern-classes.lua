--- pass
--- %a	65-90 97-122
--- %c	0-31 127
--- %d	48-57
--- %g	33-126
--- %l	97-122
--- %p	33-47 58-64 91-96 123-126
--- %s	9-13 32
--- %u	65-90
--- %w	48-57 65-90 97-122
--- %x	48-57 65-70 97-102
--- %z	0
--- %A	0-64 91-96 123-255
--- %C	32-126 128-255
--- %D	0-47 58-255
--- %G	0-32 127-255
--- %L	0-96 123-255
--- %P	0-32 48-57 65-90 97-122 127-255
--- %S	0-8 14-31 33-255
--- %U	0-64 91-255
--- %W	0-47 58-64 91-96 123-255
--- %X	0-47 58-64 71-96 103-255
--- .	0-255
--- [a-c]	97-99
--- [^a-c]	0-96 100-255
--- [a%-c]	45 97 99
--- [-a]	45 97
--- [a-]	45 97
--- []]	93
--- [^]]	0-92 94-255
--- []-a]	93-97
--- [%]]	93
--- [%a_]	65-90 95 97-122
--- [^%s%w]	0-8 14-31 33-47 58-64 91-96 123-255
--- [%d%x]	48-57 65-70 97-102
--- [+-]	43 45
--- [^%W]	48-57 65-90 97-122
--- [a-c0-2]	48-50 97-99
--- [%a-z]	45 65-90 97-122
--- [^^]	0-93 95-255
--- [a^]	94 97
--- [.]	46
--- [%.]	46
--- [\128-\255]	128-255
--- [z-a]	
--- [\0-\31]	0-31
--- -	50%	x	.	$5
--- malformed pattern (missing ']')
--- malformed pattern (missing ']')
--- malformed pattern (missing ']')
--- malformed pattern (missing ']')
--- malformed pattern (missing ']')
--- malformed pattern (ends with '%')
--- malformed pattern (ends with '%')
--- malformed pattern (missing ']')
--- malformed pattern (missing ']')
---
-- Manual 6.4.1: character classes, each against all 256 bytes in the C locale.
local function ranges(class)
  local out, first, last = {}, nil, nil
  local function flush() if first then out[#out + 1] = first == last and ("%d"):format(first) or ("%d-%d"):format(first, last) end end
  for i = 0, 255 do
    if string.char(i):find(class) then
      if first and last == i - 1 then last = i else flush(); first, last = i, i end
    end
  end
  flush()
  print((class:gsub("[^\32-\126]", function(c) return "\\" .. c:byte() end)), table.concat(out, " "))
end
for c in ("acdglpsuwxz"):gmatch "." do ranges("%" .. c) end
for c in ("ACDGLPSUWX"):gmatch "." do ranges("%" .. c) end
ranges "."; ranges "[a-c]"; ranges "[^a-c]"; ranges "[a%-c]"; ranges "[-a]"; ranges "[a-]"; ranges "[]]"; ranges "[^]]"; ranges "[]-a]"; ranges "[%]]"; ranges "[%a_]"; ranges "[^%s%w]"
ranges "[%d%x]"; ranges "[+-]"; ranges "[^%W]"; ranges "[a-c0-2]"; ranges "[%a-z]"; ranges "[^^]"; ranges "[a^]"; ranges "[.]"; ranges "[%.]"; ranges "[\128-\255]"; ranges "[z-a]"; ranges "[\0-\31]"
-- % before any non-alphanumeric character stands for it
for c in ("^$()%.[]*+-?!\"#&',/:;<=>@\\_`{|}~ "):gmatch "." do
  local a, b = ("x" .. c .. "y"):find("%" .. c)
  if a ~= 2 or b ~= 2 then print("wrong", c, a, b) end
end
print(("a-b"):match("%-"), ("50%"):match("%d+%%"), ("f(x)"):match("%((.-)%)"), ("a.b"):match("%."), ("$5"):match("%$%d"))
-- bad classes
local function err(p) print((select(2, pcall(string.find, "abc", p)))) end
err "["; err "[a"; err "[^"; err "[]"; err "[^]"; err "%"; err "abc%"; err "[a%"; err "[%a-"
