--- pass
--- false	base64: invalid byte at position 6
--- false	base64: invalid byte at position 1
--- false	base64: invalid byte at position 1
--- false	base64: invalid byte at position 3
--- false	base64: invalid byte at position 1
--- false	base64: invalid byte at position 5
--- false	base64: invalid byte at position 5
--- false	base64: invalid byte at position 4
--- false	base64: invalid byte at position 5
--- false	base64: invalid byte at position 3
--- false	base64: invalid byte at position 1
--- false	base64: text ends in the middle of a byte, at position 1
--- false	base64: text ends in the middle of a byte, at position 5
--- false	base64: text ends in the middle of a byte, at position 1
--- false	base64: wrong padding
--- false	base64: invalid byte at position 3
--- false	base64: invalid byte at position 3
--- false	base64: wrong padding
--- false	base64: wrong padding
--- false	base64: wrong padding
--- false	base64: invalid byte at position 5
--- false	base64: invalid byte at position 3
--- false	base64: invalid byte at position 2
--- false	base64: wrong padding
--- false	base64: wrong padding
--- false	base64: invalid byte at position 1
--- false	base64: invalid byte at position 2
--- false	base64: bits left over at position 2
--- false	base64: bits left over at position 3
--- false	base64: bits left over at position 2
--- false	base64: bits left over at position 3
--- false	base64: bits left over at position 2
--- true	f
--- true	f
--- true	f
--- false	base64: wrong padding
--- false	base64: wrong padding
--- true	f
--- true	foo
--- true	foo
--- true	
--- false	bad argument #1 to 'base64.encode' (string expected, got no value)
--- false	bad argument #1 to 'base64.decode' (string expected, got no value)
--- false	bad argument #1 to 'base64.encode' (string expected, got table)
--- false	bad argument #2 to 'base64.encode' (table expected, got boolean)
--- false	bad argument #2 to 'base64.encode' (option 'url' must be a boolean)
--- false	bad argument #2 to 'base64.decode' (option 'pad' must be a boolean)
--- false	bad argument #2 to 'base64.encode' (unknown option 'padding')
--- false	golden:120: base64: invalid byte at position 1
--- nil	nil
---
local base64 = require "base64"

local function show(text, options)
  local ok, result = pcall(base64.decode, text, options)
  print(ok, (result:gsub("%c", "?")))
end

-- Letters of the other alphabet, blanks, line ends, anything else: the position is Lua's, from 1.
show "Zm9v+-"
show "____"
show("++++", { url = true })
show("Zm//", { url = true })
show " Zm9v"
show "Zm9v\n"
show "Zm9v\nYmFy"
show "Zm9\0"
show "Zm9vé"
show "Zm.v"
show "\xFF\xFF\xFF\xFF"

-- Wrong length.
show "Z"
show "Zm9vY"
show("Z", { pad = false })

-- Padding: wrong in length, in the middle, too much, alone.
show "Zg="
show "Zg==="
show "Zg===="
show "Zm8=="
show "Zm9v="
show "Zm9v=="
show "Zm9v===="
show "Zg==Zg=="
show "Z=g="
show "="
show "=="
show "===="
show "Z==="

-- Bits that are not zero behind the last byte: another text of the same bytes.
show "Zh=="
show "Zm9="
show "Zh"
show "Zm9"
show "/x=="

-- The option `pad`: both are taken where it is not given.
show "Zg=="
show "Zg"
show("Zg==", { pad = true })
show("Zg", { pad = true })
show("Zg==", { pad = false })
show("Zg", { pad = false })
show("Zm9v", { pad = true })
show("Zm9v", { pad = false })
show("", { pad = true })

-- Arguments.
print(pcall(base64.encode))
print(pcall(base64.decode))
print(pcall(base64.encode, {}))
print(pcall(base64.encode, "x", true))
print(pcall(base64.encode, "x", { url = 1 }))
print(pcall(base64.decode, "x", { pad = "no" }))
print(pcall(base64.encode, "x", { padding = false }))
-- The position in front is the caller's.
print(pcall(function() return (base64.decode("?")) end))
-- No globals.
print(rawget(_G, "base64"), rawget(_G, "json"))
