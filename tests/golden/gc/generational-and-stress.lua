--- pass
--- incremental	600	570	30
--- generational	600	570	30
--- incremental	600	570	30
--- nil	true
--- true
--- nil
--- false	nil
--- true
--- 451
---
-- Manual 2.5: both modes under work, with weak tables, finalizers, coroutines and closures alive.
for _, mode in ipairs { "incremental", "generational", "incremental" } do
  collectgarbage(mode)
  local finalized, made = 0, 0
  local weak = setmetatable({}, { __mode = "k" })
  local old, co = {}, {}
  for i = 1, 20 do co[i] = coroutine.wrap(function() local mine = { i }; while true do mine = { mine[1] + 1 }; coroutine.yield(mine[1]) end end) end
  for round = 1, 30 do
    for i = 1, 20 do
      made = made + 1
      local o = setmetatable({ round, i, ("s"):rep(round) .. i }, { __gc = function() finalized = finalized + 1 end })
      weak[o] = { o[1] }
      if i == 1 then old[round] = o end
      if co[i]() ~= i + round then error("coroutine lost its state") end
    end
    old[(round * 7) % 30 + 1] = old[(round * 7) % 30 + 1] or nil
    if round % 10 == 0 then collectgarbage("step") end
  end
  for r = 1, 30 do local o = old[r]; if o[1] ~= r or o[2] ~= 1 or #o[3] ~= r + 1 or weak[o][1] ~= r then error("lost " .. r) end end
  collectgarbage(); collectgarbage()
  local n = 0
  for _ in pairs(weak) do n = n + 1 end
  print(mode, made, finalized, n)
end
-- closures keep exactly what they use
local probe = setmetatable({}, { __mode = "v" })
local function closure() local big, small = { "big" }, { "small" }; probe.big, probe.small = big, small; return function() return small end end
local f = closure(); collectgarbage(); print(probe.big, probe.small == f())
-- values on a suspended stack are alive; a dead coroutine gives them back
local c = coroutine.create(function() local v = {}; probe.v = v; coroutine.yield(); return v ~= nil end)
coroutine.resume(c); collectgarbage(); print(probe.v ~= nil); coroutine.resume(c); c = nil; collectgarbage(); print(probe.v)
-- a coroutine that is dropped while suspended is collected, without closing its variables
local closed = false; do local d = coroutine.wrap(function() local x <close> = setmetatable({}, { __close = function() closed = true end }); probe.x = {}; local hold = probe.x; coroutine.yield(hold) end); d() end collectgarbage(); collectgarbage(); print(closed, probe.x)
-- interned and long strings come back equal after collection
local keys = {}; for i = 1, 500 do keys["k" .. i] = ("long"):rep(15) .. i end collectgarbage(); local ok = true; for i = 1, 500 do ok = ok and keys["k" .. i] == ("long"):rep(15) .. i end print(ok)
-- tables that shrink and grow while collected
local t = {}; for r = 1, 20 do for i = 1, 100 do t[i * r] = { i } end for i = 1, 50 do t[i * r] = nil end collectgarbage("step", 1) end local n = 0; for k, v in pairs(t) do if type(v) ~= "table" then n = -1e9 end n = n + 1 end print(n)
