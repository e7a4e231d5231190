--- pass
--- nil	attempt to load a binary chunk (mode is 't')
--- nil	attempt to load a binary chunk (mode is 't')
--- nil	true
--- nil	true
--- nil
--- nil
--- nil
--- nil	esc:1: unexpected symbol near '<\27>'
--- true
--- nil	attempt to load a binary chunk (mode is 't')
--- nil
--- nil
--- nil	attempt to load a text chunk (mode is 'b')
--- nil	attempt to load a text chunk (mode is 'b')
--- nil
--- true	0
---
-- load refuses binary chunks, whatever mode is asked for, whole or in pieces.
local header = "\27Lua\x54\0\x19\x93\r\n\x1a\n\x04\x08\x08" .. ("\0"):rep(6) .. "\x78\x56" .. ("\0"):rep(20)
local f, m = load(header, "=bin"); print(f, m)
f, m = load(header, "=bin", "t"); print(f, m)
f, m = load(header, "=bin", "bt"); print(f, (m:find("binary", 1, true) ~= nil))
f, m = load(header, "=bin", "b"); print(f, (m:find("binary", 1, true) or m:find("chunk", 1, true)) ~= nil)
-- the first byte decides
print((load("\27", "=esc"))); print((load("\27return 1", "=esc"))); print((load("\27Lua", "=esc", "bt"))); print(load(" \27", "=esc")); print(load("return '\27'", "=esc")() == "\27")
-- by a reader
local i = 0; print(load(function() i = i + 1; return header:sub(i, i) ~= "" and header:sub(i, i) or nil end, "=rd"))
print((load((function() local parts, n = { "\27", "Lua", header:sub(5) }, 0; return function() n = n + 1; return parts[n] end end)(), "=rd", "bt")))
-- an empty reader and an empty string are empty text chunks
print(load(function() end)(), load("")())
-- mode "b" refuses text
print(load("return 1", "=txt", "b")); print(load(function() return nil end, "=txt", "b")); print((load("return 1", "=txt", "x")))
-- many hostile headers: never a function, never a crash
local bad, got = 0, 0
for n = 1, #header do if load(header:sub(1, n), "=cut") == nil then bad = bad + 1 end end
for n = 5, 30 do for _, b in ipairs { 0, 1, 0x7f, 0x80, 0xff } do if load(header:sub(1, n - 1) .. string.char(b) .. header:sub(n + 1), "=mut") then got = got + 1 end end end
print(bad == #header, got)
