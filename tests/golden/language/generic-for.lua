--- pass
--- 1 2 3 
--- 1nil 2nil 
--- state/a/2 state/b/2 state/c/2
--- 1 false x 4
--- 1	nil	3	nil
--- 100a 100b 
--- 1 s init; 2 s 1; 3 s 2; 
--- 10	20	30
--- nil
--- p	q
--- 1
--- 2
--- close normal	nil
--- close break	nil
--- close error	in body
--- false	in body
--- close return	nil
--- returned
--- close goto	nil
--- golden:77: attempt to call a number value (for iterator 'for iterator')
--- golden:78: attempt to call a nil value (for iterator 'for iterator')
--- golden:79: attempt to call a table value (for iterator 'for iterator')
--- golden:80: variable '(for state)' got a non-closable value
--- golden:81: variable '(for state)' got a non-closable value
--- golden:82: attempt to call a number value (for iterator 'for iterator')
--- golden:83: from iterator
--- golden:84: bad argument #1 to 'for iterator' (table expected, got nil)
--- golden:85: bad argument #1 to 'ipairs' (value expected)
---
-- Manual 3.3.5: the generic for loop.
local function range(n) return function(s, i) if i < s then return i + 1 end end, n, 0 end
for i in range(3) do io.write(i, " ") end
print()
for i, extra in range(2) do io.write(i, tostring(extra), " ") end
print()
-- state and control variable: what the iterator is called with
local calls = {}
local function iter(...) calls[#calls + 1] = table.concat({ tostring((...)), tostring((select(2, ...))), select("#", ...) }, "/"); if select(2, ...) ~= "c" then return ({ a = "b", b = "c" })[select(2, ...)] end end
for k in iter, "state", "a" do end
print(table.concat(calls, " "))
-- the loop ends at nil, not at false
local vals, i = { 1, false, "x" }, 0
for v in function() i = i + 1; return vals[i] end do io.write(tostring(v), " ") end
print(i)
-- many variables
for a, b, c, d in (function() local done; return function() if not done then done = true; return 1, nil, 3 end end end)() do print(a, b, c, d) end
-- changing the control variable inside does not disturb
for k, v in ipairs { "a", "b" } do k = 100; io.write(k, v, " ") end
print()
-- callable objects
local obj = setmetatable({ n = 0 }, { __call = function(self, s, c) self.n = self.n + 1; if self.n < 4 then return self.n, s, c end end })
for a, b, c in obj, "s", "init" do io.write(a, " ", b, " ", c, "; ") end
print()
-- next as iterator, and changing existing fields while traversing
local t = { x = 1, y = 2, z = 3 }
for k in next, t do t[k] = t[k] * 10 end
print(t.x, t.y, t.z)
for k in pairs(t) do t[k] = nil end
print(next(t))
-- fresh variables on each turn
local fs = {}
for _, v in ipairs { "p", "q" } do fs[#fs + 1] = function() return v end end
print(fs[1](), fs[2]())
-- the closing value is closed when the loop ends, however it ends
local function closing(name) return setmetatable({}, { __close = function(_, e) print("close " .. name, e) end }) end
for i in function(_, c) c = (c or 0) + 1; if c < 3 then return c end end, nil, nil, closing "normal" do print(i) end
for i in function() return 1 end, nil, nil, closing "break" do break end
print(pcall(function() for i in function() return 1 end, nil, nil, closing "error" do error("in body", 0) end end))
print((function() for i in function() return 1 end, nil, nil, closing "return" do return "returned" end end)())
for i in function() return 1 end, nil, nil, closing "goto" do goto out end
::out::
for i in function() end, nil, nil, nil do end
for i in function() end, nil, nil, false do end
-- errors
local function err(f) print((select(2, pcall(f)))) end
err(function() for i in 5 do end end)
err(function() for i in nil do end end)
err(function() for k, v in {} do end end)
err(function() for i in function() end, nil, nil, 42 do end end)
err(function() for i in function() end, nil, nil, {} do end end)
err(function() local t = { n = 1 }; for i in t.n do end end)
err(function() for i in function() error("from iterator") end do end end)
err(function() for i in pairs(nil) do end end)
err(function() for i in ipairs() do end end)
