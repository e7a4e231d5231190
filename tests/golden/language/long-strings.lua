--- pass
--- plain	level two	a"b'c	no \n escapes \x
--- 0	0	0	1	first newline skipped
---  ]] ]=] 	[]	a]b	]]	[x
--- line one
---   line two
--- end
--- 97 10 98	97 10 98	97 10 98
--- 120	10 120	10 120	97 10 98
--- c:3: unexpected symbol near '='	c:2: unexpected symbol near '='	c:3: unexpected symbol near '='
--- c:4: unexpected symbol near '='
--- 1	2	3
--- 2	--[[ not a comment	kept
--- l:1: unfinished long string (starting at line 1) near <eof>
--- l:1: unfinished long string (starting at line 1) near <eof>
--- l:1: unfinished long comment (starting at line 1) near <eof>
--- l:3: unfinished long comment (starting at line 1) near <eof>
--- l:1: invalid long string delimiter near '[='
--- l:1: invalid long string delimiter near '[='
--- true	1	false	2
--- c:1: unexpected symbol near '#'
---
-- Manual 3.1: long brackets, in strings and in comments.
print([[plain]], [==[level two]==], [[a"b'c]], [[no \n escapes \x]])
print(#[[]], #[==[]==], #[[
]], #[[

]], [[
first newline skipped]])
print([==[ ]] ]=] ]==], [=[[]]=], [[a]b]], [=[]]]=], [[[x]])
print([[
line one
  line two
]] .. "end")
-- a carriage return, or a pair of different line ends, counts as one newline
local function chars(s) return table.concat({ s:byte(1, -1) }, " ") end
print(chars(load("return [[a\rb]]")()), chars(load("return [[a\r\nb]]")()), chars(load("return [[a\n\rb]]")()))
print(chars(load("return [[\r\nx]]")()), chars(load("return [[\n\nx]]")()), chars(load("return [[\r\rx]]")()), chars(load("return 'a\\\r\nb'")()))
-- line counting follows the same rule
print((select(2, load("\r\n\r\nx = = 1", "=c"))), (select(2, load("\n\rx = = 1", "=c"))), (select(2, load("--[[\n\n]] x = = 1", "=c"))))
print((select(2, load("local s = [[\n\n\n]] = 1", "=c"))))
-- comments
local x = 1 -- short
--[[ long
on two lines ]] local y = 2
--[==[ with ]] inside
]==] local z = --[[ in the middle ]] 3
---[[ not long: three hyphens
print(x, y, z)
--]]
--[ not long either
--[=not long
print(#[[--]], [[--[[ not a comment]], --[[gone]] "kept")
local function bad(src) print((select(2, load(src, "=l")))) end
bad "return [[abc"
bad "return [==[abc]=]"
bad "--[[ abc"
bad "--[==[ \n\n ]]"
bad "return [=abc]=]"
bad "return [="
print(load("return [[a\0b]]")() == "a\0b", load("-- a\0b\nreturn 1")(), load("--")== nil, load("--[==[ x ]==]return 2")())
-- the first line of a chunk given to load is no shebang: # is an error there
print((select(2, load("#!x\nreturn 1", "=c"))))
