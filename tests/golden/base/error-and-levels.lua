--- pass
--- false	plain
--- false	nil
--- false	nil
--- false	42
--- false	true
--- 0	false	msg
--- 1	false	golden:36: msg
--- 2	false	golden:38: msg
--- 3	false	golden:41: msg
--- false	msg
--- false	golden:36: msg
--- false	golden:47: s
--- false	42
--- false	nil
--- false	false
--- false	obj
--- true	true	true
--- integer	integer
--- false	bad argument #2 to 'error' (number expected, got string)
--- false	bad argument #2 to 'error' (number has no integer representation)
--- false	x
--- true
--- false	mychunk:1: in chunk
--- false	file.lua:3: line three
--- false	[string "error('x')"]:1: x
--- false	[string "local a..."]:2: multi
--- false	[string "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx..."]:1: long
--- false	...dir/dir/dir/dir/dir/dir/dir/dir/dir/dir/dir/dir/file.lua:1: long
--- false	yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy:1: long
--- false	[string ""]:1: empty
--- false	(load):1: attempt to call a nil value (local 'x')
---
-- Manual 6.1: error adds the position of the caller that the level names.
print(pcall(error, "plain")); print(pcall(error)); print(pcall(error, nil)); print(pcall(error, 42)); print(pcall(error, true))
local function lv(n) error("msg", n) end
local function call(n)
  lv(n)
end
local function outer(n)
  call(n)
end
for n = 0, 3 do print(n, pcall(outer, n)) end
print(pcall(outer, 100))
print(pcall(outer, nil))
-- position is added to strings only: numbers are strings for that, other values are not
print(pcall(function() error("s") end))
print(pcall(function() error(42) end))
print(pcall(function() error(nil) end))
print(pcall(function() error(false) end))
print(pcall(function() error(setmetatable({}, { __tostring = function() return "obj" end })) end))
local t = {}
print(select(2, pcall(error, t)) == t, select(2, pcall(error, t, 2)) == t, select(2, pcall(function() error(print) end)) == print)
print(math.type(select(2, pcall(error, 42))), math.type(select(2, pcall(function() error(42) end))))
-- bad levels
print(pcall(error, "x", "y"))
print(pcall(error, "x", 1.5))
print(pcall(error, "x", "0"))
-- levels through tail calls are lost
local function thrower() error("tail", 2) end
local function viatail() return thrower() end
print(pcall(function() viatail() end) == false)
-- other chunks name themselves
print(pcall(load("error('in chunk')", "=mychunk")))
print(pcall(load("\n\nerror('line three')", "@file.lua")))
print(pcall(load("error('x')", "error('x')")))
print(pcall(load("local a\nerror('multi')", "local a\nerror('multi')")))
print(pcall(load("error('long')", ("x"):rep(100))))
print(pcall(load("error('long')", "@" .. ("dir/"):rep(300) .. "file.lua")))
print(pcall(load("error('long')", "=" .. ("y"):rep(1100))))
print(pcall(load("error('empty')", "")))
print(pcall(load("local x = nil; x()", "=(load)")))
