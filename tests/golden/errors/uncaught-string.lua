--- fail: golden:8: final words
--- false	golden:8: final words
--- 1
--- 2
--- 3
---
-- An error raised by error with a string.
local function f() error("final words") end
local ok, m = pcall(f)
print(ok, m)
for i = 1, 3 do print(i) end
f()
print("never")
