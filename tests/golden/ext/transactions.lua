--- pass
--- t(a=1 b=1 c=1) u(a={1} b={1} c={1})
--- 3	nil	2	nil
--- 0	3
--- 5000
--- t(a=2 b=1 c=1 d=new) u(a={1} c={1})
--- true
--- false	values	2	as before
--- false	order	2	as before
--- false	clear	2	as before
--- false	clear and set	2	as before
--- false	drop	2	as before
--- false	drop and make	2	as before
--- false	make	2	as before
--- false	many	2	as before
--- false	lists	2	as before
--- false	tables	2	as before
--- false	golden:112: a function cannot be stored	2	as before
--- false	golden:113: attempt to index a nil value (local 'nothing')	2	as before
--- false	at once	2	as before
--- false	nil	2	as before
--- true	2
--- true	1	true	1
--- false	golden:123: external table was dropped or its store is closed
--- false	0	true
--- inside	1	4	0	nil	t(a=inside b=1 c=1 d=added) u()
--- false	seen	2	as before
--- false	inner
--- t(a=1 b=1 c=1 outer=1) u(a={1} b={1} c={1})
--- t(a=1 b=1 c=1 outer=1 kept=3 deeper=4) u(a={1} b={1} c={1})
--- false	outer	2	as before
--- outer	inner
--- false	bottom	2	as before
--- false	caught	1
--- false	attempt to yield across a C-call boundary
--- dead	true
--- sent	nil
--- false	with a coroutine	2	as before
--- in a coroutine
--- false	suspended	2	as before
--- nil	outside
--- closing	with a variable	1
--- false	with a variable	2	as before
--- kept
--- false	in __close	2	as before
--- inside
--- false	with finalizers	2	as before
--- outside
--- false	raised handled inside
--- 1	nil	true
--- golden:209: here
--- stack traceback:
--- 	[C]: in function 'error'
--- 	golden:209: in upvalue 'culprit'
--- 	golden:210: in function <golden:210>
--- 	[C]: in field 'transaction'
--- 	golden:211: in function <golden:211>
--- 	[C]: in function 'xpcall'
--- 	golden:211: in main chunk
--- false	error in error handling
--- false	through three	2	as before
--- true	2
--- 1 A B
--- 2 2
--- 1	3	true
--- 50
--- true
---
-- ext.transaction: all or nothing, for contents, order and tables.
local t, u = ext.table("t"), ext.table("u")
local function text()
  local lines = {}
  for _, name in ipairs(ext.tables()) do
    local parts = {}
    for k, v in pairs(ext.table(name)) do parts[#parts + 1] = tostring(k) .. "=" .. (type(v) == "table" and "{" .. #v .. "}" or tostring(v)) end
    lines[#lines + 1] = name .. "(" .. table.concat(parts, " ") .. ")"
  end
  return table.concat(lines, " ")
end
for _, k in ipairs { "a", "b", "c" } do t[k], u[k] = 1, { 1 } end
local before = text()
print(before)
-- Runs what is given, which must fail, and tells what it left.
local function fails(f, ...)
  local results = table.pack(pcall(ext.transaction, f, ...))
  print(results[1], results[2], results.n, text() == before and "as before" or text())
end

-- Arguments and results, with their nils.
print(ext.transaction(function(...) return select("#", ...), ... end, nil, 2, nil))
print(select("#", ext.transaction(function() end)), (ext.transaction(math.max, 1, 3, 2)))
print(select("#", ext.transaction(table.unpack, {}, 1, 5000)))
-- Kept.
ext.transaction(function() t.a, t.d = 2, "new" u.b = nil end)
print(text())
t.a, t.d = 1, nil
ext.clear(u)
for _, k in ipairs { "a", "b", "c" } do u[k] = { 1 } end
print(text() == before)

-- Taken back: values, order, what was removed, cleared, dropped, made.
fails(function() t.a, t.b, t.new = "x", nil, 1 error("values", 0) end)
fails(function() t.a = nil t.a = 1 t.c = nil t.c = 1 error("order", 0) end)
fails(function() ext.clear(t) error("clear", 0) end)
fails(function() ext.clear(t) t.c, t.b, t.a = 1, 2, 3 ext.clear(t) t.z = 1 error("clear and set", 0) end)
fails(function() ext.drop("t") error("drop", 0) end)
fails(function() ext.drop("t") ext.table("t").x = 1 ext.table("more").y = { 1 } ext.drop("u") error("drop and make", 0) end)
fails(function() for i = 1, 3 do ext.table("n" .. i).x = i ext.drop("n" .. i) ext.table("n" .. i) end error("make", 0) end)
fails(function() for i = 1, 500 do t[i] = { i } end for k in pairs(t) do t[k] = nil end error("many", 0) end)
fails(function() table.insert(t, 1) table.insert(t, 1, 2) table.sort(t) table.remove(t) error("lists", 0) end)
fails(function() u.a = { 1, 2, 3 } t.ref = u u.me = u error("tables", 0) end)
fails(function() t.x = 1 t.y = print end)
fails(function() t.x = 1 local nothing; return nothing.field end)
fails(error, "at once", 0)
fails(error)
-- The same value, whatever it is.
local mark = setmetatable({}, { __tostring = function() return "mark" end })
print(select(2, pcall(ext.transaction, error, mark)) == mark, select("#", pcall(ext.transaction, error, nil)))
-- Proxies are what they were.
print(t == ext.table("t"), t.a, u == ext.table("u"), #u.a)
local made
pcall(ext.transaction, function() made = ext.table("made") made.x = 1 error() end)
print(pcall(function() return made.x end))
print(ext.table("made") == made, ext.count(ext.table("made")), ext.drop("made"))

-- Inside, the state is the one inside.
fails(function()
  t.a, t.d = "inside", "added"
  ext.clear(u)
  print(t.a, t.b, ext.count(t), ext.count(u), next(u), text())
  error("seen", 0)
end)
-- One inside of another takes back its own part, the outer one both.
fails(function()
  t.outer = 1
  print(pcall(ext.transaction, function() t.outer, t.inner = 2, 2 ext.drop("u") error("inner", 0) end))
  print(text())
  ext.transaction(function() t.kept = 3 ext.transaction(function() t.deeper = 4 end) end)
  print(text())
  error("outer", 0)
end)
ext.transaction(function()
  t.x = "outer"
  pcall(ext.transaction, function() t.x = "inner" error() end)
  ext.transaction(function() t.y = "inner" end)
end)
print(t.x, t.y)
t.x, t.y = nil, nil
-- Deep, and thrown out from the bottom.
local function nest(n) t["level" .. n] = n if n == 50 then error("bottom", 0) end ext.transaction(nest, n + 1) end
fails(nest, 1)
-- An error that is caught inside does not end it.
print(ext.transaction(function()
  local ok, e = pcall(function() t.caught = 1 error("caught", 0) end)
  return ok, e, t.caught
end))
t.caught = nil

-- Coroutines: inside of one they may yield, out of one they may not.
local co = coroutine.create(function() ext.transaction(function() t.x = 1 coroutine.yield() end) end)
print(coroutine.resume(co))
print(coroutine.status(co), text() == before)
fails(function()
  local inner = coroutine.wrap(function() t.x = coroutine.yield(1) t.y = coroutine.yield(2) end)
  inner() inner("sent")
  print(t.x, t.y)
  error("with a coroutine", 0)
end)
print(coroutine.wrap(function() return ext.transaction(function() return "in a coroutine" end) end)())
-- A coroutine that outlives it goes on outside.
local outlives = coroutine.wrap(function() t.x = "inside" coroutine.yield() t.y = "outside" end)
fails(function() outlives() error("suspended", 0) end)
outlives()
print(t.x, t.y)
t.y = nil

-- Variables to close are closed inside; what that writes is taken back, too.
local function closing(f) return setmetatable({}, { __close = function(_, e) f(e) end }) end
fails(function()
  local c <close> = closing(function(e) t.closed = e print("closing", t.closed, t.x) end)
  t.x = 1
  error("with a variable", 0)
end)
ext.transaction(function() local c <close> = closing(function() t.closed = "kept" end) end)
print(t.closed)
t.closed = nil
fails(function() local c <close> = closing(function() error("in __close", 0) end) t.x = 1 end)
-- So is what a finalizer writes meanwhile; afterwards it is on its own.
local function finalizer(value) setmetatable({}, { __gc = function() t.finalized = value end }) end
fails(function()
  finalizer("inside")
  collectgarbage()
  print(t.finalized)
  finalizer("outside")
  error("with finalizers", 0)
end)
collectgarbage()
print(t.finalized)
t.finalized = nil

-- Message handlers see an error where it is raised: inside, with the whole stack, once.
local calls = 0
print(xpcall(ext.transaction, function(e)
  calls = calls + 1
  t.handled = true
  return e .. " handled " .. tostring(t.x)
end, function() t.x = "inside" error("raised", 0) end))
print(calls, t.handled, text() == before)
local function culprit() error("here") end
local function middle() culprit() return 1 end
print(select(2, xpcall(function() ext.transaction(middle) end, debug.traceback)))
print(xpcall(ext.transaction, function() error("again") end, function() error("why") end))
fails(ext.transaction, ext.transaction, error, "through three", 0)
-- As a function that is called in any other way.
print(pcall(pcall, ext.transaction, error), #{ pcall(ext.transaction, select, "#") })
for i, v in ipairs { ("a b"):gsub("%w", function(c) return ext.transaction(string.upper, c) end) } do io.write(i, " ", v, "\n") end
local sorted = { 3, 1, 2 }
table.sort(sorted, function(a, b) return ext.transaction(function() t.compared = (t.compared or 0) + 1 return a < b end) end)
print(sorted[1], sorted[3], t.compared > 1)
t.compared = nil
-- A loop of them.
for i = 1, 100 do pcall(ext.transaction, function() t.n = (t.n or 0) + 1 if i % 2 == 0 then error() end end) end
print(t.n)
t.n = nil
print(text() == before)
