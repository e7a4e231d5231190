--- fail: golden:8: assertion failed!
--- true	fine
---
-- assert without a message.
print(assert(true, "fine"))
local t = setmetatable({}, { __gc = function() end })
assert(#{} == 0)
assert(nil)
