--- pass
--- ""	0	
--- "abc"	3	61 62 63 
--- "\"\\\/\b\f\n\r\t"	8	22 5C 2F 08 0C 0A 0D 09 
--- "\u0000"	1	00 
--- "a\u0000b"	3	61 00 62 
--- "\u0041\u00e9\u20AC"	6	41 C3 A9 E2 82 AC 
--- "é€"	5	C3 A9 E2 82 AC 
--- "\ud83d\ude00"	4	F0 9F 98 80 
--- "😀"	4	F0 9F 98 80 
--- "\uD800\uDC00\uDBFF\uDFFF"	8	F0 90 80 80 F4 8F BF BF 
--- "\uFFFF\uFEFF\u2028"	9	EF BF BF EF BB BF E2 80 A8 
--- "\u007f"	1	7F 
--- ""	1	7F 
--- "/"	1	2F 
--- "\\u0041"	6	5C 75 30 30 34 31 
--- true
--- true
--- true
--- 4	600	2	400	800	true	true
--- 1	2	3	4	nil	5
--- "\ud800"	json: half of a surrogate pair at line 1, column 2
--- "\ud800x"	json: half of a surrogate pair at line 1, column 2
--- "\ud800\n"	json: half of a surrogate pair at line 1, column 2
--- "\ud800\u0041"	json: half of a surrogate pair at line 1, column 2
--- "\ud800\ud800"	json: half of a surrogate pair at line 1, column 2
--- "\udc00"	json: half of a surrogate pair at line 1, column 2
--- "\udc00\ud800"	json: half of a surrogate pair at line 1, column 2
--- "\x41"	json: invalid escape at line 1, column 2
--- "\'"	json: invalid escape at line 1, column 2
--- "\a"	json: invalid escape at line 1, column 2
--- "\0"	json: invalid escape at line 1, column 2
--- "\U0041"	json: invalid escape at line 1, column 2
--- "\u"	json: invalid escape at line 1, column 2
--- "\u004"	json: invalid escape at line 1, column 2
--- "\u004g"	json: invalid escape at line 1, column 2
--- "\u+041"	json: invalid escape at line 1, column 2
--- "\u 041"	json: invalid escape at line 1, column 2
--- "	json: unfinished string at line 1, column 1
--- "abc	json: unfinished string at line 1, column 1
--- "abc\	json: unfinished string at line 1, column 1
--- "abc\"	json: unfinished string at line 1, column 1
--- "\u00	json: unfinished string at line 1, column 1
--- 'abc'	json: value expected at line 1, column 1
--- "\ud83d\ude0"	json: invalid escape at line 1, column 2
--- "a?b"	json: control character in a string at line 1, column 3
--- "a?b"	json: control character in a string at line 1, column 3
--- "a?b"	json: control character in a string at line 1, column 3
--- "?"	json: control character in a string at line 1, column 2
--- json: invalid UTF-8 at line 1, column 2
--- json: invalid UTF-8 at line 1, column 2
--- json: invalid UTF-8 at line 1, column 2
--- json: invalid UTF-8 at line 1, column 2
--- json: invalid UTF-8 at line 1, column 2
--- json: invalid UTF-8 at line 1, column 2
--- json: invalid UTF-8 at line 1, column 2
--- json: invalid UTF-8 at line 1, column 2
--- json: invalid UTF-8 at line 1, column 8
--- json: invalid UTF-8 at line 1, column 3
--- json: invalid UTF-8 at line 1, column 1
--- json: invalid UTF-8 at line 1, column 3
--- json: invalid UTF-8 at line 1, column 2
--- false	json: value expected at line 1, column 1
---
local json = require "json"

local function show(text)
  local value = json.decode(text)
  print(text, #value, (value:gsub(".", function(c) return ("%02X "):format(c:byte()) end)))
end
show [[""]]
show [["abc"]]
show [["\"\\\/\b\f\n\r\t"]]
show [["\u0000"]]
show [["a\u0000b"]]
show [["\u0041\u00e9\u20AC"]]
show [["é€"]]
show [["\ud83d\ude00"]]
show [["😀"]]
show [["\uD800\uDC00\uDBFF\uDFFF"]]
show [["\uFFFF\uFEFF\u2028"]]
show [["\u007f"]]
show "\"\x7F\""
show [["/"]]
show [["\\u0041"]]

-- Longer than any buffer, with and without escapes, and one after another.
local plain = ("x"):rep(100000)
print(json.decode('"' .. plain .. '"') == plain)
print(json.decode('"' .. plain .. '\\n"') == plain .. "\n")
print(json.decode('"' .. ("\\u0061\\n"):rep(50000) .. '"') == ("a\n"):rep(50000))
for _, n in ipairs { 255, 256, 257, 4095, 4096, 4097 } do
  local text = ("y"):rep(n - 1)
  assert(json.decode('"' .. text .. '\\t"') == text .. "\t")
  assert(json.decode('"\\t' .. text .. '"') == "\t" .. text)
  assert(json.decode('"' .. text .. 'z"') == text .. "z")
end
local list = json.decode('["' .. ("a\\n"):rep(300) .. '","b\\n","' .. ("c\\n"):rep(200) .. '","' .. ("d\\n"):rep(400) .. '"]')
print(#list, #list[1], #list[2], #list[3], #list[4], list[1]:sub(-2) == "a\n", list[4]:sub(-2) == "d\n")

-- Keys are strings like any other.
local object = json.decode [[{"": 1, "a\u0000b": 2, "\u00e9": 3, "1": 4, "\"": 5}]]
print(object[""], object["a\0b"], object["é"], object["1"], object[1], object['"'])

-- Refused.
for _, text in ipairs {
  [["\ud800"]], [["\ud800x"]], [["\ud800\n"]], [["\ud800\u0041"]], [["\ud800\ud800"]], [["\udc00"]], [["\udc00\ud800"]],
  [["\x41"]], [["\'"]], [["\a"]], [["\0"]], [["\U0041"]], [["\u"]], [["\u004"]], [["\u004g"]], [["\u+041"]], [["\u 041"]],
  [["]], [["abc]], [["abc\]], [["abc\"]], [["\u00]], [['abc']], [["\ud83d\ude0"]], '"a\nb"', '"a\tb"', '"a\0b"', '"\x1F"',
} do
  print((text:gsub("%c", "?")), (select(2, pcall(json.decode, text))))
end

-- Invalid UTF-8, wherever it stands.
for _, text in ipairs {
  '"\xFF"', '"\x80"', '"\xC0\x80"', '"\xC3"', '"\xE2\x82"', '"\xED\xA0\x80"', '"\xF4\x90\x80\x80"', '"\xF8\x88\x80\x80\x80"',
  '["é", "\xFF"]', '{"\xFF": 1}', '\xFF', '1 \xFF', '"\xC3\\u0041"',
} do
  print((select(2, pcall(json.decode, text))))
end
-- And a mark of byte order is no blank.
print(pcall(json.decode, "\xEF\xBB\xBF1"))
