--- fail: golden:12: golden:9: inside the coroutine
--- first	1
---
-- wrap propagates; the error leaves through the main chunk with the position of its origin.
local step = 0
local co = coroutine.wrap(function()
  step = step + 1
  coroutine.yield("first")
  error("inside the coroutine")
end)
print(co(), step)
co()
print("never")
