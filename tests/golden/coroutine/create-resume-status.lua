--- pass
--- thread	suspended
--- start	1	2
--- true	3
--- suspended
--- got	10
--- true	20	two
--- suspended
--- got	nil	x
--- true	end	nil
--- dead
--- false	cannot resume dead coroutine
--- dead
--- false	golden:56: oops
--- dead	false	cannot resume dead coroutine
--- false	true
--- thread	true	false	running
--- true	false	true	running	true
--- normal	running
--- false	cannot resume non-suspended coroutine
--- dead
--- false	true
--- false	cannot resume non-suspended coroutine
--- false	cannot resume non-suspended coroutine
--- attempt to yield from outside a coroutine
--- bad argument #1 to 'coroutine.create' (function expected, got no value)
--- bad argument #1 to 'coroutine.create' (function expected, got number)
--- bad argument #1 to 'coroutine.create' (function expected, got table)
--- bad argument #1 to 'coroutine.resume' (thread expected, got no value)
--- bad argument #1 to 'coroutine.resume' (thread expected, got number)
--- bad argument #1 to 'coroutine.status' (thread expected, got no value)
--- bad argument #1 to 'coroutine.status' (thread expected, got table)
--- bad argument #1 to 'coroutine.wrap' (function expected, got string)
--- bad argument #1 to 'coroutine.close' (thread expected, got number)
--- bad argument #1 to 'coroutine.isyieldable' (thread expected, got number)
--- true	9
--- true	y1	y2
--- 101
---
-- Manual 2.6, 6.2: create, resume, status, running, isyieldable.
local function err(f, ...) print((select(2, pcall(f, ...)))) end
local co = coroutine.create(function(a, b)
  print("start", a, b)
  local c = coroutine.yield(a + b)
  print("got", c)
  local d, e = coroutine.yield(c * 2, "two")
  print("got", d, e)
  return "end", nil
end)
print(type(co), coroutine.status(co))
print(coroutine.resume(co, 1, 2)); print(coroutine.status(co))
print(coroutine.resume(co, 10)); print(coroutine.status(co))
print(coroutine.resume(co, nil, "x")); print(coroutine.status(co))
print(coroutine.resume(co)); print(coroutine.status(co))
-- errors inside stop it
local bad = coroutine.create(function() error("oops") end)
print(coroutine.resume(bad)); print(coroutine.status(bad), coroutine.resume(bad))
local obj = {}
local ok, e = coroutine.resume(coroutine.create(function() error(obj) end)); print(ok, e == obj)
-- running, isyieldable, status seen from all sides
local main, ismain = coroutine.running()
print(type(main), ismain, coroutine.isyieldable(), coroutine.status(main))
local outer
outer = coroutine.create(function()
  local me, m = coroutine.running()
  print(me == outer, m, coroutine.isyieldable(), coroutine.status(outer), coroutine.isyieldable(outer))
  local inner = coroutine.create(function() print(coroutine.status(outer), coroutine.status((coroutine.running()))); print(coroutine.resume(outer)) end)
  coroutine.resume(inner)
  print(coroutine.status(inner))
end)
coroutine.resume(outer)
print(coroutine.isyieldable(main), coroutine.isyieldable(coroutine.create(print)))
-- resuming oneself, or the main thread
print(coroutine.wrap(function() return coroutine.resume((coroutine.running())) end)())
print(coroutine.resume(main))
-- yield outside
err(coroutine.yield, 1)
-- arguments
err(coroutine.create); err(coroutine.create, 5); err(coroutine.create, {}); err(coroutine.resume); err(coroutine.resume, 5); err(coroutine.status); err(coroutine.status, {}); err(coroutine.wrap, "x"); err(coroutine.close, 1); err(coroutine.isyieldable, 1)
-- C functions as bodies, many values through
print(coroutine.resume(coroutine.create(math.max), 3, 9, 2)); print(coroutine.resume(coroutine.create(coroutine.yield), "y1", "y2"))
print(select("#", coroutine.resume(coroutine.create(function(...) return ... end), table.unpack({}, 1, 100))))
