--- pass
--- c=1 a=2 10=3 b=4 1=5 d=6
--- a=again 10=3 b=4 1=5 d=6
--- a=again 10=3 b=4 1=5 c=back
--- 25	5
--- a=1 b=2 d=4 e=5
--- a=1 b=new c=33
--- a=1 b=2 x=1 y=2
--- a=1 c=3 b=moved
--- a=1 b=2 c=3 a=moved b=too
--- a=1 b=2
--- a=1 b=2 c=new z=1
--- 1000	0	nil	0
--- false	golden:53: external table was dropped or its store is closed
--- false	golden:53: external table was dropped or its store is closed
--- true	nil	false
--- a	b	c
--- d	e	nil	nil
--- f	nil
--- 	b=2 d=4 x=1 c=moved
--- false	back
--- a=1 b=2 c=3 d=4
--- a	1
--- y	y
--- nil
--- a=1 b=2 c=3 z=z
--- z	nil
--- a	1
--- false	external table was dropped or its store is closed
--- false	external table was dropped or its store is closed
--- a	b	nil
--- first	1
--- first	nil	1
--- false	next cannot go on in an external table: use pairs
--- first
--- false	golden:153: next cannot go on in an external table: use pairs
--- 2	true	first	1
--- false	external table was dropped or its store is closed
--- nil	nil	1	false	invalid key to 'next'
--- true	a	1
--- 300	0
---
-- Traversal of external tables: in order of insertion, whatever happens meanwhile.
local function filled(name, ...)
  local t = ext.table(name)
  ext.clear(t)
  for i = 1, select("#", ...) do t[(select(i, ...))] = i end
  return t
end
-- Goes over the table, and calls what is given for a key.
local function walk(t, at)
  local seen = {}
  for k, v in pairs(t) do
    seen[#seen + 1] = k .. "=" .. tostring(v)
    if at and at[k] then at[k](t, k, v) end
    if #seen == 12 then break end
  end
  return table.concat(seen, " ")
end

-- Order of insertion; overwriting keeps the place, removing gives it up.
local t = filled("t", "c", "a", 10, "b", 1, "d")
print(walk(t))
t.a, t.c = "again", nil
print(walk(t))
t.c, t.d = "back", nil
print(walk(t))
-- It stays so for the next eval, and for other loops inside.
local pairs_seen = 0
for _ in pairs(t) do for _ in pairs(t) do pairs_seen = pairs_seen + 1 end end
print(pairs_seen, ext.count(t))

-- Removed entries are not visited: the one visited, ones ahead, ones behind.
print(walk(filled("t", "a", "b", "c", "d", "e"), {
  a = function(o, k) o[k] = nil end,
  b = function(o) o.c = nil end,
  d = function(o) o.b, o.a = nil, nil end,
}))
-- Overwritten ones are visited once, with their new value.
print(walk(filled("t", "a", "b", "c"), { a = function(o) o.a, o.b, o.c = "seen", "new", 33 end, c = function(o) o.a = 1 end }))
-- Added ones are visited, at the end.
print(walk(filled("t", "a", "b"), { a = function(o) o.x = 1 end, x = function(o) o.y = 2 end }))
-- Removed and set again: at the end, and visited there (again, if it had been).
print(walk(filled("t", "a", "b", "c"), { a = function(o) o.b = nil o.b = "moved" end }))
print(walk(filled("t", "a", "b", "c"), { b = function(o, k, v) if v == 2 then o.a = nil o.a = "moved" o.b = nil o.b = "too" end end }))
-- Cleared: nothing is left to visit, but what is set then.
print(walk(filled("t", "a", "b", "c"), { b = function(o) ext.clear(o) end }))
print(walk(filled("t", "a", "b", "c"), { b = function(o) ext.clear(o) o.c = "new" o.z = 1 end }))
-- A loop that empties its table; one that copies it; one that breaks.
local big = ext.table("big")
for i = 1, 1000 do big[i] = ("x"):rep(i % 300) end
local n = 0
for k in pairs(big) do n = n + 1 big[k] = nil end
print(n, ext.count(big), next(big), #big)
-- Dropped: an error, also where the name has a new table.
print(pcall(walk, filled("t", "a", "b"), { a = function() ext.drop("t") end }))
print(pcall(walk, filled("t", "a", "b"), { a = function() ext.drop("t") ext.table("t").b = "other" end }))

-- An iterator that is held knows its place, whatever its arguments; `pairs` gives each loop its own.
t = filled("t", "a", "b", "c", "d")
local step, of, control = pairs(t)
print(of == t, control, rawequal(step, (pairs(t))))
print(step(of, control), (step()), (step(nil, "a")))
t.e = 5
print(step(), step(), step(), step())
t.f = 6
print(step(), step())

-- A transaction that is rolled back: the loop goes on from its place, in what is there again.
print(walk(filled("t", "a", "b", "c", "d"), {
  b = function(o)
    print(pcall(ext.transaction, function()
      o.a, o.c, o.x = nil, nil, 1
      o.c = "moved"
      print("", walk(o))
      error("back", 0)
    end))
  end,
}))
-- It had gone on inside: what came back behind it is not visited, what is added later is.
t = filled("t", "a", "b", "c")
step = pairs(t)
print(step())
pcall(ext.transaction, function()
  ext.clear(t)
  t.x, t.y = "x", "y"
  print(step())
  error()
end)
print(step())
t.z = "z"
print(walk(t))
print(step(), step())
-- Made inside: gone, and so is its iterator.
pcall(ext.transaction, function()
  local made = filled("made", "a", "b")
  step = pairs(made)
  print(step())
  error()
end)
print(pcall(step))
-- Dropped inside: there again.
t = filled("t", "a", "b")
step = pairs(t)
pcall(ext.transaction, function() ext.drop("t") print(pcall(step)) filled("t", "other") error() end)
print(step(), step(), (step()))

-- next: the first entry, so that a table can be told from an empty one. It has no place to go on from.
t = filled("t", "first", "second")
print(next(t))
print(next(t, nil), next(ext.table("empty")), select("#", next(ext.table("empty"))))
print(pcall(next, t, "first"))
print(pcall(function() for k in next, t do io.write(k, "\n") end end))
print(select("#", next(t)), pcall(next, t, nil, "ignored"))
ext.drop("t")
print(pcall(next, t))
-- A plain table is as ever, with a metatable or without.
print(next({}), next(setmetatable({}, {})), next(setmetatable({ 1 }, {})), pcall(next, setmetatable({}, {}), 1))
print(next == pairs({}), next(setmetatable({ a = 1 }, { __pairs = error })))

-- Large entries and small ones, more than are read at once.
t = ext.table("mixed")
local expected = {}
for i = 1, 300 do
  local k = i % 3 == 0 and i or ("k"):rep(i % 41) .. i
  t[k] = i % 7 == 0 and { ("v"):rep(i * 10), { i } } or i
  expected[i] = k
end
local wrong = 0
n = 0
for k, v in pairs(t) do
  n = n + 1
  local i = type(v) == "table" and v[2][1] or v
  if k ~= expected[n] or i ~= n or type(v) == "table" and #v[1] ~= i * 10 then wrong = wrong + 1 end
end
print(n, wrong)
