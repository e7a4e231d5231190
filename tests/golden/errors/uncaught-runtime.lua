--- fail: golden:13: attempt to index a nil value (field 'address')
--- before
--- partial line, then a newline
--- false	golden:13: attempt to index a nil value (field 'address')
--- after the caught one
--- closed with	golden:13: attempt to index a nil value (field 'address')
---
-- An uncaught runtime error ends the chunk: what was printed before stays.
print("before")
local person = { name = "x" }
io.write("partial line, then a newline", "\n")
local function city(p)
  return p.address.city
end
print(pcall(city, person))
print("after the caught one")
local c <close> = setmetatable({}, { __close = function(_, e) print("closed with", e) end })
print(city(person))
print("never")
