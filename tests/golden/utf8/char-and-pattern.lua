--- pass
--- 	Hä€😀	AB
--- 0	127 194 128	223 191 224 160 128	239 191 191 240 144 128 128
--- 244 143 191 191	244 144 128 128	247 191 191 191 248 136 128 128 128	251 191 191 191 191	252 132 128 128 128 128 253 191 191 191 191 191	237 160 128
--- bad argument #1 to 'utf8.char' (value out of range)
--- bad argument #1 to 'utf8.char' (value out of range)
--- bad argument #2 to 'utf8.char' (number expected, got string)
--- bad argument #1 to 'utf8.char' (number has no integer representation)
--- bad argument #1 to 'utf8.char' (number expected, got table)
--- bad argument #1 to 'utf8.char' (value out of range)
--- 91 0 45 127 194 45 253 93 91 128 45 191 93 42	true	14
--- 1:a 2:é 3:€ 4:😀 1:! 
--- 11	a?b	1	2
--- true	true	true	true
--- 😀€ña	600
---
-- Manual 6.5: utf8.char, utf8.charpattern.
local function err(f, ...) print((select(2, pcall(f, ...)))) end
local function bytes(s) return table.concat({ s:byte(1, -1) }, " ") end
print(utf8.char(), utf8.char(72, 228, 8364, 0x1F600), utf8.char("65", 66.0)); print(bytes(utf8.char(0)), bytes(utf8.char(127, 128)), bytes(utf8.char(0x7FF, 0x800)), bytes(utf8.char(0xFFFF, 0x10000)))
print(bytes(utf8.char(0x10FFFF)), bytes(utf8.char(0x110000)), bytes(utf8.char(0x1FFFFF, 0x200000)), bytes(utf8.char(0x3FFFFFF)), bytes(utf8.char(0x4000000, 0x7FFFFFFF)), bytes(utf8.char(0xD800)))
err(utf8.char, -1); err(utf8.char, 0x80000000); err(utf8.char, 65, "x"); err(utf8.char, 1.5); err(utf8.char, {}); err(utf8.char, 1 << 40)
print(bytes(utf8.charpattern), utf8.charpattern == "[\0-\x7F\xC2-\xFD][\x80-\xBF]*", #utf8.charpattern)
for c in ("aé€😀!"):gmatch(utf8.charpattern) do io.write(#c, ":", c, " ") end print()
print(select(2, ("héllo wörld"):gsub(utf8.charpattern, "")), (("añb"):gsub(utf8.charpattern, function(c) return #c > 1 and "?" or c end)), ("é"):find(utf8.charpattern))
-- round trips over all lengths of encodings
local ok = true
for _, c in ipairs { 0, 1, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFD, 0xFFFF, 0x10000, 0x10FFFF } do ok = ok and utf8.codepoint(utf8.char(c)) == c and utf8.len(utf8.char(c)) == 1 and #utf8.char(c) == (c < 0x80 and 1 or c < 0x800 and 2 or c < 0x10000 and 3 or 4) end
print(ok, "\u{48}\u{20AC}" == utf8.char(0x48, 0x20AC), utf8.char(0x20AC) == "€", "\u{7FFFFFFF}" == utf8.char(0x7FFFFFFF))
-- reversing, upper bounds, many arguments
local function reverse(s) local r = {}; for _, c in utf8.codes(s) do table.insert(r, 1, utf8.char(c)) end return table.concat(r) end
print(reverse("añ€😀"), #utf8.char(table.unpack((function() local t = {}; for i = 1, 200 do t[i] = 0x20AC end return t end)())))
