--- pass
--- ab	abc	1	1.5	x-1	123	
--- 0	3	3	2	4	2	-2	3
--- (a(b(cd)))	c+d b+(cd) a+(b(cd))
--- (x(yz))	y+z x+(yz)
--- 0	3	2	0	2	2
--- 50
--- 51	new
--- 50
--- true	true
--- true
--- golden:53: attempt to get length of a number value
--- golden:54: attempt to get length of a nil value (local 'n')
--- golden:55: attempt to get length of a function value (global 'print')
--- golden:56: attempt to get length of a boolean value
--- golden:57: attempt to get length of a nil value (field 'c')
--- golden:58: attempt to concatenate a table value (local 'a')
--- golden:59: attempt to concatenate a function value (field 'f')
--- golden:60: attempt to concatenate a nil value
--- ababababababababab12.0ab
--- 1092	1,2,3,4,5,6,	299,300,
---
-- Manual 3.4.6, 3.4.7: concatenation and the length operator.
print("a" .. "b", "a" .. "b" .. "c", 1 .. "", "" .. 1.5, "x" .. -1, 1 .. 2 .. 3, "" .. "")
print(#"", #"abc", #"\0\0\0", #"ä", #"a\u{20AC}", # "a" + 1, -#"ab", #("a" .. "bc"))
-- .. is right associative: seen by a metamethod
local log = {}
local mt = {}
mt.__concat = function(a, b)
  local function n(x) return type(x) == "table" and x.n or x end
  log[#log + 1] = n(a) .. "+" .. n(b)
  return setmetatable({ n = "(" .. n(a) .. n(b) .. ")" }, mt)
end
local function o(n) return setmetatable({ n = n }, mt) end
print((o "a" .. o "b" .. o "c" .. "d").n, table.concat(log, " "))
log = {}
print(("x" .. "y" .. o "z").n, table.concat(log, " "))
-- the length of a sequence
print(#{}, #{ 1, 2, 3 }, #{ 1, 2, nil }, #{ n = 1 }, #{ [1] = 1, [2] = 2 }, #{ "a", x = 1, "b" })
local t = {}
for i = 1, 100 do t[i] = i end
for i = 100, 51, -1 do t[i] = nil end
print(#t)
t[#t + 1] = "new"; print(#t, t[51]); t[#t] = nil; print(#t)
-- with holes, # is any border: a number n with t[n] ~= nil and t[n+1] == nil
t = { 1, 2, nil, 4, nil, nil, 7 }
local n = #t
print(t[n] ~= nil or n == 0, t[n + 1] == nil)
t = { [1] = 1, [2] = 2, [4] = 4 }
n = #t
print(n == 2 or n == 4)
local function err(f, ...) print((select(2, pcall(f, ...)))) end
err(function() return #5 end)
err(function() local n; return #n end)
err(function() return #print end)
err(function() return #true end)
err(function() local a = { b = {} }; return #a.b.c end)
err(function() local a = {}; return "x" .. a end)
err(function() local a = { f = print }; return a.f .. "x" end)
err(function() return "a" .. nil .. "b" end)
-- many operands in one expression, and a long string grown piecewise
local p = "ab"
print(p .. p .. p .. p .. p .. p .. p .. p .. p .. 1 .. 2.0 .. p)
local s = ""
for i = 1, 300 do s = s .. i .. "," end
print(#s, s:sub(1, 12), s:sub(-8))
