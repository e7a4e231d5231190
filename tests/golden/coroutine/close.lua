--- pass
--- true	dead	false	cannot resume dead coroutine
--- close b	nil
--- close a	nil
--- true
--- dead	true
--- false	cannot resume dead coroutine
--- true
--- false	E
--- close on error	E
--- false	E
--- true
--- close thrower	nil
--- close last	from close
--- false	from close
--- dead
--- true
--- close yielder	nil
--- false	attempt to yield across a C-call boundary
--- cannot close a running coroutine
--- cannot close a normal coroutine
--- cannot close a running coroutine
--- bad argument #1 to 'coroutine.close' (thread expected, got no value)
--- bad argument #1 to 'coroutine.close' (thread expected, got nil)
--- close 3	nil
--- close loop	nil
--- close 2	nil
--- close 1	nil
--- true	dead
--- close wrapped	W
--- false	W
--- close w2	first
--- false	second
--- true	in close
--- close outer var	nil
--- true
--- close cross	nil
--- true
---
-- Manual 6.2: coroutine.close.
local function err(f, ...) print((select(2, pcall(f, ...)))) end
local function closing(name, f) return setmetatable({}, { __close = function(_, e) print("close " .. name, e); if f then f() end end }) end
-- fresh, suspended, dead, failed
local co = coroutine.create(print); print(coroutine.close(co), coroutine.status(co), coroutine.resume(co))
co = coroutine.create(function() local a <close> = closing "a"; local b <close> = closing "b"; coroutine.yield(1); print("never") end)
coroutine.resume(co); print(coroutine.close(co)); print(coroutine.status(co), coroutine.close(co)); print(coroutine.resume(co))
co = coroutine.create(function() return "done" end); coroutine.resume(co); print(coroutine.close(co))
co = coroutine.create(function() local a <close> = closing "on error"; error("E", 0) end); print(coroutine.resume(co)); print(coroutine.close(co)); print(coroutine.close(co))
-- errors in closing methods
co = coroutine.create(function() local a <close> = closing "last"; local b <close> = closing("thrower", function() error("from close", 0) end); coroutine.yield() end)
coroutine.resume(co); print(coroutine.close(co)); print(coroutine.status(co)); print(coroutine.close(co))
-- closing methods run in the caller's context: they may not yield there
co = coroutine.create(function() local a <close> = closing("yielder", function() coroutine.yield() end); coroutine.yield() end)
coroutine.resume(co); print(coroutine.close(co))
-- what may not be closed
err(coroutine.close, (coroutine.running()))
local outer; outer = coroutine.create(function() local inner = coroutine.create(function() err(coroutine.close, outer) end); coroutine.resume(inner); err(coroutine.close, (coroutine.running())) end)
coroutine.resume(outer)
err(coroutine.close); err(coroutine.close, nil)
-- inside pcall, loops and nested functions: all pending variables are closed, innermost first
co = coroutine.create(function()
  local a <close> = closing "1"
  pcall(function()
    local b <close> = closing "2"
    for i in function() return 1 end, nil, nil, closing "loop" do local c <close> = closing "3"; coroutine.yield() end
  end)
end)
coroutine.resume(co); print(coroutine.close(co), coroutine.status(co))
-- wrap closes on error by itself
local w = coroutine.wrap(function() local a <close> = closing "wrapped"; error("W", 0) end); print(pcall(w))
w = coroutine.wrap(function() local a <close> = closing("w2", function() error("second", 0) end); error("first", 0) end); print(pcall(w))
-- a coroutine suspended in a close method that is closed
co = coroutine.create(function() local a <close> = closing "outer var"; do local b <close> = setmetatable({}, { __close = function() coroutine.yield "in close" end }) end end)
print(coroutine.resume(co)); print(coroutine.close(co))
-- closing from another coroutine
co = coroutine.create(function() local a <close> = closing "cross"; coroutine.yield() end); coroutine.resume(co)
print(coroutine.wrap(function() return coroutine.close(co) end)())
