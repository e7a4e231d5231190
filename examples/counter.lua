-- counter.lua: the smallest program that remembers.
--
-- ext.table(name) opens a table that looks like any other Lua table, but lives
-- outside the VM and is kept in storage. Run this again, or reload the page and
-- run it then: it goes on counting.

local counter = ext.table("counter")

-- A field that was never set is nil, as in every Lua table.
local before = counter.runs
counter.runs = (before or 0) + 1

-- Integers come back as integers and floats as floats, however often they are
-- stored: the type belongs to the value.
counter.total = (counter.total or 0) + counter.runs
counter.mean = counter.total / counter.runs

-- An external table is an array as well: #, ipairs and table.insert work.
-- Tables inside it are stored by value, so each entry is a small record.
local history = ext.table("counter.history")
table.insert(history, { run = counter.runs, total = counter.total })

if before then
  print(("Welcome back: %d %s before this one."):format(before, before == 1 and "run" or "runs"))
else
  print("Nothing was stored yet: this is the first run.")
end

print()
for _, key in ipairs { "runs", "total", "mean" } do
  local value = counter[key]
  print(("%-6s %-6s %s"):format(key, value, math.type(value)))
end

-- The last eight runs as a small chart.
print()
for i = math.max(1, #history - 7), #history do
  local entry = history[i]
  print(("run %3d |%s %d"):format(entry.run, ("#"):rep(math.min(entry.run, 40)), entry.total))
end

-- Everything this run has written is one transaction: after a crash there is
-- all of it or nothing of it.
return counter.runs, counter.mean
