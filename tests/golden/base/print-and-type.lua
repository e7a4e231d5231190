--- pass
--- 
--- nil
--- nil	nil
--- 1	a	true	2.5	-0.0
--- a	b	c
--- 	
--- line1
--- line2
--- 
--- 0
--- Lua 5.4	table	true	true	Lua 5.4
--- 1	true
---  x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x
--- 1	2	3	4	5	6	7	8	9	10
--- 1000	2000
--- w1 p1
--- w2 3 4.5
--- number number string boolean table function function thread nil
--- false	bad argument #1 to 'type' (value expected)
--- nil	string	1
--- 70	string	float	float	integer
--- hooked	x
--- hooked	y
--- z
---
-- Manual 6.1: print, type, _G, _VERSION.
print(); print(nil); print(nil, nil); print(1, "a", true, 2.5, -0.0); print("a\tb", "c"); print("", ""); print("line1\nline2")
print(select("#", print()))
print(_VERSION, type(_G), _G._G == _G, _G.print == print, _G._VERSION)
-- print uses neither a global tostring nor table methods
do local saved = tostring; tostring = function() return "fooled" end; print(1, {} ~= nil); tostring = saved end
-- results of functions, long lines
print((" x"):rep(30)); print(table.unpack({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }))
print(("0123456789"):rep(100):len(), #("ab"):rep(1000))
-- print and io.write share one stream in order
io.write("w1 "); print("p1"); io.write("w2 ", 3, " ", 4.5, "\n")
-- type
for _, v in ipairs { 1, 1.5, "s", true, {}, print, type, coroutine.create(print) } do io.write(type(v), " ") end
print(type(nil))
print(pcall(type)); print(type(nil), type(type(nil)), select("#", type(1, 2, 3)))
-- the base functions are there
local names = { "assert", "collectgarbage", "error", "getmetatable", "ipairs", "load", "next", "pairs", "pcall", "print", "rawequal", "rawget", "rawlen", "rawset", "require", "select", "setmetatable", "tonumber", "tostring", "type", "warn", "xpcall" }
for _, n in ipairs(names) do if type(_G[n]) ~= "function" then print("missing", n) end end
local libs = { coroutine = "close create isyieldable resume running status wrap yield", string = "byte char find format gmatch gsub len lower match pack packsize rep reverse sub unpack upper",
  utf8 = "char codepoint codes len offset", table = "concat insert move pack remove sort unpack",
  math = "abs acos asin atan ceil cos deg exp floor fmod log max min modf rad random randomseed sin sqrt tan tointeger type ult",
  os = "clock date difftime getenv setlocale time", io = "lines read write", debug = "traceback", package = "searchpath" }
local count = 0
for lib, fns in pairs(libs) do for fn in fns:gmatch "%w+" do count = count + 1; if type(_G[lib][fn]) ~= "function" then print("missing", lib .. "." .. fn) end end end
print(count, type(utf8.charpattern), math.type(math.pi), math.type(math.huge), math.type(math.maxinteger))
-- globals may be replaced and restored by scripts
local real = print
print = function(...) real("hooked", ...) end
print "x"; _G.print "y"; print = real; print "z"
