--- pass
--- body
--- close a	nil
--- close 3	nil
--- end	5
--- close 2	nil
--- close 1	nil
--- close loop1	nil
--- close loop2	nil
--- close ret	nil
--- r1	r2
--- 1	2
--- close err	boom
--- false	boom
--- close obj	an object
--- true
--- throw t2	nil
--- throw t1	t2
--- close last	t1
--- false	t1
--- throw t3	body
--- false	t3
--- inner
--- close notail	nil
--- val
--- close r1	nil
--- close r2	nil
--- golden:73: variable 'x' got a non-closable value
--- golden:74: variable 'x' got a non-closable value
--- golden:75: variable 'name' got a non-closable value
--- golden:76: variable 'x' got a non-closable value
--- golden:78: attempt to call a nil value (metamethod 'close')
--- called	table	nil
--- yield in close
--- result
--- close va	nil
--- 1	nil	3
---
-- Manual 3.3.8: to-be-closed variables.
local function new(name) return setmetatable({ name = name }, { __close = function(o, e) print("close " .. o.name, tostring(e)) end }) end
do local a <close> = new "a"; print("body") end
-- in reverse order
do
  local a <close> = new "1"
  local b <const>, c <close> = 5, new "2"
  do local d <close> = new "3" end
  print("end", b)
end
-- nil and false are ignored
do local a <close> = nil; local b <close> = false end
-- on break, goto, return (results are computed before closing) and errors
for i = 1, 2 do local a <close> = new("loop" .. i); if i == 2 then break end end
local function ret() local a <close> = new "ret"; return "r1", "r2" end
print(ret())
local v = 1
local function order() local a <close> = setmetatable({}, { __close = function() v = 2 end }); return v end
print(order(), v)
print(pcall(function() local a <close> = new "err"; error("boom", 0) end))
print(pcall(function() local a <close> = new "obj"; error(setmetatable({}, { __tostring = function() return "an object" end })) end) == false)
-- an error in a closing method replaces the error; the others are still closed
local function thrower(name) return setmetatable({}, { __close = function(_, e) print("throw " .. name, e); error(name, 0) end }) end
print(pcall(function() local a <close> = new "last"; local b <close> = thrower "t1"; local c <close> = thrower "t2" end))
print(pcall(function() local a <close> = thrower "t3"; error("body", 0) end))
-- a call in tail position is no tail call when something must be closed
local function inner() print("inner") return "val" end
local function notail() local a <close> = new "notail"; return inner() end
print(notail())
-- while and repeat; the condition of repeat is inside
local n = 0
repeat n = n + 1; local a <close> = new("r" .. n) until n == 2
-- values that cannot be closed
local function err(f) print((select(2, pcall(f)))) end
err(function() local x <close> = 42 end)
err(function() local x <close> = {} end)
err(function() local name <close> = setmetatable({}, { __close = nil }) end)
err(function() local x <close> = "s" end)
-- a metamethod that vanishes after the declaration
err(function() local x <close> = setmetatable({}, { __close = print }); setmetatable(x, {}) end)
-- __close may be a callable object; yields inside are fine
do local a <close> = setmetatable({}, { __close = setmetatable({}, { __call = function(self, o, e) print("called", type(o), e) end }) }) end
local co = coroutine.wrap(function()
  local a <close> = setmetatable({}, { __close = function() coroutine.yield("yield in close") end })
  return "result"
end)
print(co()); print(co())
-- vararg and nested functions
local function va(...) local a <close> = new "va"; return ... end
print(va(1, nil, 3))
