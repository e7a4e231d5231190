--- pass
--- 0	-7	9007199254740992	9007199254740993
--- 9223372036854775807	-9223372036854775808
--- 1.0	-1.0	0.0	-0.0	9007199254740992.0	1000000000000000.0
--- 0.1	0.3333333333333333	0.6666666666666666	0.30000000000000004	123456.789
--- 1e+16	1e+100	1e+300	1.5e+300	-1e-7	0.00001
--- 5e-324	2.2250738585072014e-308	1.7976931348623157e+308	9.223372036854776e+18	0.5
--- false	json: cannot encode an infinite number
--- false	json: cannot encode an infinite number
--- false	json: cannot encode NaN
--- false	json: cannot encode NaN (at .x[2])
--- "1"	""	"1.0"
--- true	false	null	null
--- "\"\\/"
--- "\b\f\n\r\t"
--- "\u0000\u0001\u001f "
--- "é€😀    </script>"
--- "a\na\na\na\na\n"
--- 47323	true
--- false	json: cannot encode a string that is not valid UTF-8
--- false	json: cannot encode a string that is not valid UTF-8 (at .photo)
--- false	json: cannot encode a string that is not valid UTF-8 (at [2][1])
--- true
--- false	json: cannot encode a function
--- false	json: cannot encode a thread
--- false	json: cannot encode a userdata
--- false	json: cannot encode a function (at .list[3])
--- false	bad argument #1 to 'json.encode' (value expected)
---
local json = require "json"

-- Integers are exact, floats stay floats and read back exactly.
print(json.encode(0), json.encode(-7), json.encode(2^53 | 0), json.encode((2^53 | 0) + 1))
print(json.encode(math.maxinteger), json.encode(math.mininteger))
print(json.encode(1.0), json.encode(-1.0), json.encode(0.0), json.encode(-0.0), json.encode(2^53), json.encode(1e15))
print(json.encode(0.1), json.encode(1 / 3), json.encode(2 / 3), json.encode(0.1 + 0.2), json.encode(123456.789))
print(json.encode(1e16), json.encode(1e100), json.encode(1e300), json.encode(1.5e300), json.encode(-1e-7), json.encode(1e-5))
print(json.encode(5e-324), json.encode(2.2250738585072014e-308), json.encode(1.7976931348623157e308), json.encode(2^63), json.encode(2^-1))
print(pcall(json.encode, math.huge))
print(pcall(json.encode, -math.huge))
print(pcall(json.encode, 0/0))
print(pcall(json.encode, { x = { 1, 0/0 } }))

-- A text of digits is a string.
print(json.encode("1"), json.encode(""), json.encode("1.0"))
print(json.encode(true), json.encode(false), json.encode(nil), json.encode(json.null))

-- Strings: as few escapes as possible.
print(json.encode('"\\/'))
print(json.encode("\b\f\n\r\t"))
print(json.encode("\0\1\x1F\x20\x7F"))
print(json.encode("é€😀 \u{2028}\u{2029} </script>"))
print(json.encode(("a\n"):rep(5)))

-- Every character comes back.
local all = {}
for code = 0, 0x7FF do all[#all + 1] = utf8.char(code) end
for code = 0x800, 0x10FFFF, 101 do
  if code < 0xD800 or code > 0xDFFF then all[#all + 1] = utf8.char(code) end
end
local text = table.concat(all)
print(#text, json.decode(json.encode(text)) == text)

-- Longer than any buffer.
for _, n in ipairs { 253, 254, 255, 256, 4090, 4096, 4097, 8192, 50000 } do
  local long = ("x"):rep(n)
  assert(json.encode(long) == '"' .. long .. '"', n)
  local quotes = ('"'):rep(n)
  assert(json.encode(quotes) == '"' .. ('\\"'):rep(n) .. '"', n)
end

-- Bytes that are no UTF-8 are no text: nothing is changed silently. base64 is there for them.
print(pcall(json.encode, "\xFF"))
print(pcall(json.encode, { photo = "\x89PNG" }))
print(pcall(json.encode, { "ok", { "\xED\xA0\x80" } }))
print(pcall(json.encode, { ["\xFF"] = 1 }) == false)

-- What JSON has no word for.
print(pcall(json.encode, print))
print(pcall(json.encode, coroutine.create(print)))
print(pcall(json.encode, io.stdout))
print(pcall(json.encode, { list = { 1, 2, print } }))
print(pcall(json.encode))
