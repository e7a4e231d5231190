--- pass
--- 0	""
--- 0	""
--- 3	"a\"b"
--- 3	"a'b"
--- 3	"a\"b"
--- 3	"a'b"
--- 1	"\\"
--- 2	"\\n"
--- 7	"\7\8\12\n\13\9\11"
--- 1	"\0"
--- 1	"\0"
--- 1	"\0"
--- 2	"\0001"
--- 3	"ABC"
--- 2	"{4"
--- 1	"\xff"
--- 2	"Az"
--- 1	"\0"
--- 1	"\xff"
--- 2	"A1"
--- 1	"A"
--- 1	"\127"
--- 2	"\xc2\x80"
--- 2	"\xdf\xbf"
--- 3	"\xe0\xa0\x80"
--- 3	"\xe2\x82\xac"
--- 3	"\xef\xbf\xbf"
--- 4	"\xf0\x90\x80\x80"
--- 4	"\xf4\x8f\xbf\xbf"
--- 4	"\xf7\xbf\xbf\xbf"
--- 5	"\xf8\x88\x80\x80\x80"
--- 5	"\xfb\xbf\xbf\xbf\xbf"
--- 6	"\xfc\x84\x80\x80\x80\x80"
--- 6	"\xfd\xbf\xbf\xbf\xbf\xbf"
--- 1	"A"
--- 6	"abcdef"
--- 2	"ab"
--- 0	""
--- 3	"a\nb"
--- tailend
--- s:1: invalid escape sequence near '"\q'
--- s:1: hexadecimal digit expected near '"\xag'
--- s:1: hexadecimal digit expected near '"\xa"'
--- s:1: decimal escape too large near '"\256"'
--- s:1: decimal escape too large near '"\999"'
--- s:1: missing '{' near '"\u4'
--- s:1: hexadecimal digit expected near '"\u{"'
--- s:1: hexadecimal digit expected near '"\u{g'
--- s:1: missing '}' near '"\u{41"'
--- s:1: UTF-8 value too large near '"\u{80000000'
--- s:1: unfinished string near <eof>
--- s:1: unfinished string near <eof>
--- s:1: unfinished string near ''a'
--- s:1: unfinished string near <eof>
--- s:1: unfinished string near <eof>
--- x	y	z	0	ab
--- true	true	true	true	true	true
---
-- Manual 3.1: short strings and their escapes.
local function show(s) print(#s, (string.format("%q", s):gsub("\\\n", "\\n"):gsub("[\x80-\xff]", function(c) return ("\\x%02x"):format(c:byte()) end))) end
show "" show '' show 'a"b' show "a'b" show "a\"b" show 'a\'b' show "\\" show "\\n"
show "\a\b\f\n\r\t\v" show "\0" show "\00" show "\000" show "\0001" show "\65\066\67" show "\1234" show "\255"
show "\x41\x7a" show "\x00" show "\xfF" show "\x411"
show "\u{41}" show "\u{7F}" show "\u{80}" show "\u{7FF}" show "\u{800}" show "\u{20AC}" show "\u{FFFF}" show "\u{10000}"
show "\u{10FFFF}" show "\u{1FFFFF}" show "\u{200000}" show "\u{3FFFFFF}" show "\u{4000000}" show "\u{7FFFFFFF}" show "\u{0000000041}"
-- \z skips white space and line ends; a backslash before a line end is a line end
show "ab\z
      cd\z   ef" show "a\zb" show "\z   " show "a\
b"
print("tail\z

	  end")
-- errors name the bad part
local function bad(src) print((select(2, load("return " .. src, "=s")))) end
bad [["\q"]]
bad [["\xag"]]
bad [["\xa"]]
bad [["\256"]]
bad [["\999"]]
bad [["\u41"]]
bad [["\u{"]]
bad [["\u{g}"]]
bad [["\u{41"]]
bad [["\u{80000000}"]]
bad [["abc]]
bad [['abc"]]
bad "'a\nb'"
bad [["abc\]]
bad [["\1a" "\2]]
-- adjacent literals after a name are calls
local function id(s) return s end
print(id "x", id 'y', id [[z]], #id "\z ", (id "a") .. id "b")
print("a" == 'a', "\65" == "A", "\x41" == "\u{41}", "\10" == "\n", "\
" == "\n", '\z
' == "")
