--- pass
--- 0
--- true
--- bad argument #1 to 'warn' (string expected, got no value)
--- bad argument #1 to 'warn' (string expected, got nil)
--- bad argument #1 to 'warn' (string expected, got table)
--- bad argument #2 to 'warn' (string expected, got table)
--- bad argument #3 to 'warn' (string expected, got boolean)
---
-- Manual 6.1: warn. Warnings go to the error stream, so nothing of them is seen here.
local function err(f, ...) print((select(2, pcall(f, ...)))) end
print(select("#", warn("off by default, or on: both fine")))
warn("@off")
warn("one ", "two ", "three")
warn("@on")
warn("@unknown control messages are ignored")
warn("@off")
print(pcall(warn, "a", 1, 2.5))
err(warn); err(warn, nil); err(warn, {}); err(warn, "ok", {}); err(warn, "ok", "ok", true)
