--- pass
--- 84	197
--- true	true	true
---
-- RFC 8259, text by text: what a parser must take, and what it must not.
local json = require "json"

local accepted = {
  "[]", "{}", "[[] ]", "[ [] ]", "[\n\n]", "\r\n[]\t ", '""', "0", "-0", "-1", "123", "1e0", "1E0", "1e-0", "1e+00", "0e0",
  "0.0", "-0.0", "0e-10", "1.25E-3", "20e1", "123e65", "123.456e78", "123.456789", "-123123e-5", "1000000000000000",
  "0.000000000000000000000000000000000000000000000000000000000000000000000000000000001",
  "true", "false", "null", "[null]", "[true,false,null]", "[null, 1, \"1\", {}]", "[1,null,null,null,2]", "[1\n]", " [1]",
  "[2] ", '[""]', '["a"]', '["asd"]', '{"":0}', '{"a":[]}', '{"a":"b"}', '{"asd":"sdf","dfg":"fgh"}', '{"a":"b","a":"b"}',
  '{"a":"b","a":"c"}', '{"x":[{"id":"x"}],"id":"x"}', '{"a":\n"b"\n}', '{"foo\\u0000bar":42}', '{"min":-1.0e+28,"max":1.0e+28}',
  '["\\u0060\\u012a\\u12AB"]', '["\\uD801\\udc37"]', '["\\ud83d\\ude39\\ud83d\\udc8d"]', '["\\"\\\\\\/\\b\\f\\n\\r\\t"]',
  '["\\\\u0000"]', '["\\""]', '["a/*b*/c/*d//e"]', '["\\\\a"]', '["\\\\n"]', '["\\u0012"]', '["\\uFFFF"]', '["\\uDBFF\\uDFFF"]',
  '["\\u0821"]', '["\\u0123"]', '["\\u0000"]', '["\\u005C"]', '["\\u0022"]', '["\\u200B"]', '["\\u2064"]', '["\\uFDD0"]',
  '["\\uFFFE"]', '["\\uA66D"]', '["new\\u00A0line"]', '["\u{10FFFF}"]', '["\u{1BFFF}"]', '["\u{2028}"]', '["\u{2029}"]',
  '["\u{7F}"]', '["a\u{7F}a"]', '["\u{20AC}\u{1D11E}"]', '["\u{FEFF}"]', '["\u{2342}\u{3232}\u{5656}"]', '[" "]', '" "',
}
local rejected = {
  "", " ", "[", "]", "{", "}", "[[", "[]]", "]]", "[}", "{]", "[1", "[1,", "[,", "[,1]", "[1,]", "[1,,]", "[1,,2]", "[,]", "[1 true]",
  "[a", "[\"\": 1]", "[\"\"],", "[\"a\",\n4\n,1,", "[1,\n1\n,1", "[1 000.0]", "[x]", "[*]", "[\"x\"", "[\"x\"]]", "[3[4]]", "[1][]",
  "[1]x", "[][]", "{}{}", "1 2", "1,2", "[-]", "[--2.]", "[-.1]", "[-01]", "[-1.0.]", "[-2.]", "[-NaN]", "[.-1]", "[.2e-3]", "[0.1.2]",
  "[0.3e+]", "[0.3e]", "[0.e1]", "[0E+]", "[0E]", "[0e+]", "[0e]", "[1.0e+]", "[1.0e-]", "[1.0e]", "[1eE2]", "[2.e+3]", "[2.e-3]",
  "[2.e3]", "[9.e+]", "[1+2]", "[++1234]", "[+1]", "[+Inf]", "[Inf]", "[Infinity]", "[-Infinity]", "[NaN]", "[nan]", "[0x1]", "[0x42]",
  "[0e+-1]", "[1e1e1]", "[012]", "[-012]", "[1ea]", "[1\xC2]", "[-123.123foo]", "[-foo]", "[- 1]", "[-1x]", "[.123]", "[123", "[1.8011670033376514H-308]",
  "[0.5+1]", "[nul]", "[tru]", "[fals]", "[True]", "[TRUE]", "[nulL]", "nulll", "trueee", "[true1]", "[truetrue]",
  "{\"a\"", "{\"a\":", "{\"a\":\"a", "{\"a\":\"a\"", "{\"a\" b}", "{\"a\",\"b\"}", "{\"x\", null}", "{\"x\"::\"b\"}", "{:\"b\"}", "{\"a\":\"b\"}/**/",
  "{\"a\":\"b\"}#", "{\"a\":\"b\",}", "{\"a\":\"b\",,\"c\":\"d\"}", "{a: \"b\"}", "{'a':0}", "{\"id\":0,,,,,}", "{\"id\":0,}", "{1:1}", "{9999E9999:1}",
  "{null:null}", "{\"a\":\"a\" 123}", "{key: 'value'}", "{\"a\":\"b\"", "{\"a\":1 \"b\":2}", "{[: \"x\"}", "{,\"a\":1}", "{}}", "{\"asd\":\"asd\"", "{\"a\": true} \"x\"",
  "[\"\\uD800\\\"]", "[\"\\uD800\\u\"]", "[\"\\uD800\\u1\"]", "[\"\\uD800\\u1x\"]", "[\"\\uD800\"]", "[\"\\uDC00\"]", "[\"\\uDd1ea\"]", "[\"\\uDFAA\"]",
  "[\"\\uD888\\u1234\"]", "[\"\\uD83D\\uD83D\"]", "[\"\\x00\"]", "[\"\\a\"]", "[\"\\{\"]", "[\"\\\xE2\x82\xAC\"]", "[\"\\\"]", "[\"\\\\\\\"]", "[\"\\ \"]",
  "[\"\\u00A\"]", "[\"\\u\"]", "[\"\\uqqqq\"]", "[\"\\\t\"]", "[\"\t\"]", "[\"\n\"]", "[\"new\nline\"]", "[\"a\0a\"]", "['single']", "[\\n]", "[\"a\" \"b\"]", "abc", "\"", "\"x",
  "\"x\"y", "[\"\xE9\"]", "[\"\xFF\"]", "[\"\xC0\xAF\"]", "[\"\xED\xA0\x80\"]", "[\"\xFC\x83\xBF\xBF\xBF\xBF\"]", "[\"\xE0\xFF\"]", "\xEF\xBB\xBF{}", "\xEF\xBB\xBF", "\0", "1\0", "[1]\0",
  "\xFE\xFF\0[\0]", "[\f1]", "[\v1]", "[\u{A0}1]", "[\u{2060}]", "[\u{2028}1]", "<null>", "[<null>]", "[\u{FF11}]", "&", "#", "*", "//", "/**/", "[1]//x", ";", "=1", "(1)",
  "[1;2]", "{\"a\"=1}", "\\u000A\"\"", "[\\u000A\"\"]", "\u{E5}", "[\u{E5}]", "undefined", "[undefined]", "new Date()", "`x`",
}
for _, text in ipairs(accepted) do
  local ok, value = pcall(json.decode, text)
  if not ok then print("not accepted:", text, value) end
  -- And what was read can be written, and read again to the same text.
  local first = json.encode(value, { sort_keys = true })
  if json.encode(json.decode(first), { sort_keys = true }) ~= first then print("not the same:", text, first) end
end
for _, text in ipairs(rejected) do
  local ok, message = pcall(json.decode, text)
  if ok then print("accepted:", text) end
  if not tostring(message):find("^json: .+ at line %d+, column %d+$") then print("message:", text, message) end
end
print(#accepted, #rejected)

-- Every prefix of a text is refused, but those of a number that are numbers.
local text = '{"a":[1,-2.5e+10,"x\\u0041\\ud83d\\ude00é",true,null],"b":{}}'
for n = 0, #text - 1 do
  if pcall(json.decode, text:sub(1, n)) then print("prefix accepted:", text:sub(1, n)) end
end
-- And with any byte in the place of any other it is a value or an error, nothing else.
local ok, refused = 0, 0
for at = 1, #text do
  for byte = 0, 255, 5 do
    if pcall(json.decode, text:sub(1, at - 1) .. string.char(byte) .. text:sub(at + 1)) then ok = ok + 1 else refused = refused + 1 end
  end
end
print(ok > 0, refused > 0, ok + refused == #text * 52)
