--- pass
--- 0	0	0
--- float	true	true	true
--- true	0	false	0	true
--- incremental	generational	incremental	incremental	generational	generational
--- incremental	generational	incremental
--- integer	160
--- integer	200
--- true	boolean	boolean	true
--- bad argument #1 to 'collectgarbage' (invalid option 'nothing')
--- bad argument #1 to 'collectgarbage' (invalid option '5')
--- bad argument #1 to 'collectgarbage' (string expected, got table)
--- bad argument #2 to 'collectgarbage' (number expected, got string)
--- bad argument #1 to 'collectgarbage' (invalid option 'Collect')
--- bad argument #2 to 'collectgarbage' (number expected, got table)
--- bad argument #1 to 'collectgarbage' (invalid option '')
--- true	true	true
--- false
--- true
--- true	false
--- true
--- 0	50
---
-- Manual 6.1: collectgarbage, every option.
local function err(f, ...) print((select(2, pcall(f, ...)))) end
print(collectgarbage(), collectgarbage("collect"), collectgarbage(nil))
local c = collectgarbage("count"); print(math.type(c), c > 0, c < 2048, math.type(collectgarbage "count") == "float")
print(collectgarbage("isrunning"), collectgarbage("stop"), collectgarbage("isrunning"), collectgarbage("restart"), collectgarbage("isrunning"))
-- modes: each call answers with the previous one
collectgarbage("incremental"); print(collectgarbage("generational"), collectgarbage("incremental"), collectgarbage("incremental"), collectgarbage("generational"), collectgarbage("generational"), collectgarbage("incremental"))
print(collectgarbage("generational", 20, 100), collectgarbage("incremental", 200, 100, 13), collectgarbage("incremental", 0, 0, 0))
-- the old names of two parameters still work and answer with the old value
local p = collectgarbage("setpause", 160); print(math.type(p), collectgarbage("setpause", p)); local s = collectgarbage("setstepmul", 200); print(math.type(s), collectgarbage("setstepmul", s))
-- step: true when a cycle is finished
collectgarbage(); local steps = 0; repeat steps = steps + 1 until collectgarbage("step", 0) or steps > 100000; print(steps <= 100000, type(collectgarbage("step")), type(collectgarbage("step", 1)), collectgarbage("step", 10000))
err(collectgarbage, "nothing"); err(collectgarbage, 5); err(collectgarbage, {}); err(collectgarbage, "step", "x"); err(collectgarbage, "Collect"); err(collectgarbage, "setpause", {}); err(collectgarbage, "")
-- memory rises with live data and falls after it
collectgarbage(); local before = collectgarbage("count"); local t = {}; for i = 1, 2000 do t[i] = { i } end local during = collectgarbage("count"); t = nil; collectgarbage(); local after = collectgarbage("count")
print(during - before > 50, during - after > 50, after - before < 20)
-- stopped, nothing is collected; then it is
local dead = false; collectgarbage("stop"); do setmetatable({}, { __gc = function() dead = true end }) end for i = 1, 500 do local _ = { i } end print(dead); collectgarbage("restart"); collectgarbage(); print(dead)
-- a full collection works also while stopped
dead = false; collectgarbage("stop"); do setmetatable({}, { __gc = function() dead = true end }) end collectgarbage(); print(dead, collectgarbage("isrunning")); collectgarbage("restart")
-- strings, closures, coroutines and tables are all given back
local function churn() local acc = {}; for i = 1, 300 do acc[i % 10 + 1] = { ("x"):rep(i), function() return i end, coroutine.create(print) } end end
churn(); collectgarbage(); before = collectgarbage("count"); for i = 1, 10 do churn() end collectgarbage(); print(collectgarbage("count") - before < 20)
-- generational mode with old objects pointing to young ones
collectgarbage("generational"); local old = {}; collectgarbage(); for i = 1, 2000 do old[i % 50 + 1] = { i, { i } } end collectgarbage("step"); local sum = 0; for _, v in ipairs(old) do sum = sum + v[2][1] - v[1] end print(sum, #old); collectgarbage("incremental")
