/** A program that shows whether a VM and its tables are of one moment. Runs in pages, too. */

/**
 * Program that counts in a local of a coroutine, or of a call that sleeps, and in a table: `disagreement()`
 * says where the two differ, `reached()` how far it got.
 */
export const PROGRAM = `
  local t = ext.table("t")
  local counts = {}
  local function count(name)
    counts[name] = (counts[name] or 0) + 1
    t[name] = counts[name]
  end
  local n = 0
  step = coroutine.wrap(function()
    while true do n = n + 1 t.n = n coroutine.yield(n) end
  end)
  function fail() step() error("meant to fail") end
  function rollBack()
    step()
    pcall(ext.transaction, function() t.n = -1 t.other = 1 ext.drop("t2") ext.table("t3").x = 1 error("no") end)
  end
  function abandonTransaction() step() coroutine.wrap(function() ext.transaction(function() t.n = -1 error("no") end) end)() end
  function spin() step() while true do end end
  function noted() count("noted") note("noted", counts.noted) end
  function fill() step() counts.filler = nil filler = ("x"):rep(1000 * (n % 50)) .. n end
  function ticking(name, ms) while true do async.sleep(ms) count(name) end end
  function together()
    while true do
      async.all({ function() async.sleep(1) count("first") end, function() async.sleep(3) count("second") end })
      async.race({ function() async.sleep(2) count("third") return true end, function() async.sleep(50) end })
    end
  end
  function disagreement()
    if (t.n or 0) ~= n then return ("n is %d here, %s there"):format(n, t.n) end
    for name, m in pairs(counts) do
      if t[name] ~= m then return ("%s is %d here, %s there"):format(name, m, t[name]) end
    end
    if (ext.table("js").noted or 0) ~= (counts.noted or 0) then return "noted" end
    for name in pairs(t) do
      if name ~= "n" and not counts[name] then return name .. " is only there" end
    end
  end
  function reached() return n end`;
