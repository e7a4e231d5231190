--- pass
--- false	not enough memory
--- false	not enough memory
--- false	not enough memory
--- false	not enough memory
--- false	not enough memory
--- false	not enough memory
--- false	not enough memory
--- false	not enough memory
--- false	not enough memory
--- false	not enough memory
--- false	not enough memory
--- true
--- false	not enough memory
--- not enough memory
--- true
--- 500500	v1000	ALIVE	true
--- 2000
---
-- Running into the memory limit is an ordinary error, and everything lives on after it.
-- The runner gives each VM a limit (2 MiB by default); without any limit this script would eat the machine.
local function catch(f, ...)
  local ok, m = pcall(f, ...)
  collectgarbage()
  print(ok, m)
end
catch(string.rep, "x", 500000000)
catch(function() local t = {}; for i = 1, math.huge do t[i] = { i } end end)
catch(function() local t = {}; for i = 1, math.huge do t["key" .. i] = i end end)
catch(function() local s = ("x"):rep(1024); while true do s = s .. s end end)
catch(function() local t = {}; while true do t = { t } end end)
catch(function() local f = print; while true do local g = f; f = function() return g end end end)
catch(function() local cs = {}; while true do cs[#cs + 1] = coroutine.create(print) end end)
catch(function() return ("x"):rep(100000):gsub(".", ("y"):rep(1000)) end)
catch(function() return ("%s"):rep(50):format(table.unpack((function() local t = {}; for i = 1, 50 do t[i] = ("z"):rep(100000) end return t end)())) end)
catch(function() return table.concat((function() local t, s = {}, ("w"):rep(10000); for i = 1, 1000 do t[i] = s end return t end)()) end)
-- inside a coroutine the coroutine is dead, the rest is well
local co = coroutine.create(function() local t = {}; while true do t[#t + 1] = ("c"):rep(1000) .. #t end end)
print(coroutine.resume(co)); print(coroutine.status(co) == "dead"); co = nil; collectgarbage()
-- to-be-closed variables are closed, finalizers are called
local closed
print(pcall(function() local c <close> = setmetatable({}, { __close = function(_, e) closed = e end }); return ("x"):rep(1 << 30) end)); print(closed)
local finalized = 0
pcall(function() local t = {}; while true do t[#t + 1] = setmetatable({}, { __gc = function() finalized = finalized + 1 end }) end end)
collectgarbage(); collectgarbage(); print(finalized > 100)
-- the collector frees enough to go on as before
local t = {}; for i = 1, 1000 do t[i] = { i, "v" .. i } end
local sum = 0; for i = 1, #t do sum = sum + t[i][1] end
print(sum, t[1000][2], ("alive"):upper(), collectgarbage("count") < 2048)
for i = 1, 5 do pcall(string.rep, "x", 1 << 30) end print(#("ok"):rep(1000))
