--- pass
--- 		
--- f	Zg==	Zg
--- fo	Zm8=	Zm8
--- foo	Zm9v	Zm9v
--- foob	Zm9vYg==	Zm9vYg
--- fooba	Zm9vYmE=	Zm9vYmE
--- foobar	Zm9vYmFy	Zm9vYmFy
--- 48	true	true
--- true
--- +//+	-__-	_w
--- _w==	AAAA	AA==
--- same
--- MTI=	12	string
---
local base64 = require "base64"

-- RFC 4648, section 10.
for _, pair in ipairs {
  { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" },
} do
  local plain, text = pair[1], pair[2]
  local bare = text:gsub("=", "")
  print(plain, base64.encode(plain), base64.encode(plain, { pad = false }))
  assert(base64.encode(plain) == text and base64.decode(text) == plain)
  assert(base64.encode(plain, { pad = false }) == bare and base64.decode(bare) == plain)
  assert(base64.decode(text, { pad = true }) == plain and base64.decode(bare, { pad = false }) == plain)
end

-- All letters of both alphabets.
local letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
local bytes = base64.decode(letters .. "+/")
print(#bytes, base64.encode(bytes) == letters .. "+/", base64.encode(bytes, { url = true }) == letters .. "-_")
print(base64.decode(letters .. "-_", { url = true }) == bytes)
print(base64.encode("\xFB\xFF\xFE"), base64.encode("\xFB\xFF\xFE", { url = true }), base64.encode("\xFF", { url = true, pad = false }))
print(base64.encode("\xFF", { url = true }), base64.encode("\0\0\0"), base64.encode("\0"))

-- Every byte, every length.
local all = {}
for i = 0, 255 do all[#all + 1] = string.char(i) end
all = table.concat(all)
for n = 0, 256 do
  local part = all:sub(1, n)
  for _, options in ipairs { {}, { url = true }, { pad = false }, { url = true, pad = false } } do
    local text = base64.encode(part, options)
    assert(base64.decode(text, options) == part)
    assert(#text == (options.pad == false and (n * 8 + 5) // 6 or (n + 2) // 3 * 4))
    assert(not text:find(options.url and "[^%w%-_=]" or "[^%w+/=]"))
  end
end

-- And long ones.
math.randomseed(1)
for _, n in ipairs { 191, 192, 193, 1000, 4096, 65537, 200000 } do
  local part = all:rep(n // 256) .. all:sub(1, n % 256)
  assert(base64.decode(base64.encode(part)) == part)
end
for _ = 1, 500 do
  local parts = {}
  for i = 1, math.random(0, 300) do parts[i] = string.char(math.random(0, 255)) end
  local part = table.concat(parts)
  local options = { url = math.random(2) == 1, pad = math.random(2) == 1 }
  assert(base64.decode(base64.encode(part, options), options) == part)
end
print("same")

-- A number is text, as everywhere in Lua.
print(base64.encode(12), base64.decode("MTI="), type(base64.decode("MTI=")))
