--- pass
--- sub [] [abc] [] [c]
--- byte	0	3	0	97	98	99
--- find	nil	nil	nil	nil
--- gmatch
--- unpack	false
--- gmatch
--- unpack	false
--- gmatch
--- unpack	false
--- negative	abc	abc	97	2	2
--- utf8	false	false	false
---
-- Positions that no string has: beyond 32 bits, and at the ends of 64.
local big, s = 2 ^ 32 | 0, "abc"
print(("sub [%s] [%s] [%s] [%s]"):format(s:sub(big), s:sub(1, big + 2), s:sub(big + 1, big + 3), s:sub(-1, math.maxinteger)))
print("byte", select("#", s:byte(big)), select("#", s:byte(1, big)), (select("#", s:byte(big, -1))), s:byte(1, math.maxinteger))
print("find", s:find("b", big), s:find("b", big + 1, true), s:match("b", big + 2), s:find("", math.maxinteger))
for _, at in ipairs { big, big + 1, math.maxinteger } do
  print("gmatch", s:gmatch("%a", at)())
  print("unpack", (pcall(string.unpack, "b", s, at)))
end
print("negative", s:sub(-big), s:sub(math.mininteger, -1), s:byte(-big, 1), s:find("b", -big))
print("utf8", (pcall(utf8.codepoint, s, big)), (pcall(utf8.len, s, big)), (pcall(utf8.offset, s, 1, big)))
