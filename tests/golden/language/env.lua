--- pass
--- 1	nil	nil
--- 2	nil	2
--- 3	nil
--- nil	nil	nil
--- bee	5	nil
--- 1	2	2	nil	true
--- false	golden:52: undefined foo
--- false	golden:53: assignment to bar
--- false	golden:58: attempt to index a nil value (upvalue '_ENV')
--- false	golden:59: attempt to index a nil value (upvalue '_ENV')
--- 3	false	golden:61: attempt to index a nil value (global 'x')
--- golden:62: attempt to index a nil value (global 'undefinedname')
--- golden:63: attempt to call a nil value (global 'undefinedname')
--- golden:64: attempt to concatenate a nil value (global 'undefinedname')
--- golden:65: attempt to index a nil value (field 'x')
--- true	1	nil
--- true	nil
--- nil	true	1
--- true
---
-- Manual 2.2: _ENV is an ordinary name; free names are fields of it.
local print, tostring, pcall, select, load, setmetatable = print, tostring, pcall, select, load, setmetatable
local G = _ENV
do
  local _ENV = { x = 1 }
  print(x, y, G.y)
  y = 2
  print(y, G.y, _ENV.y)
  function f() return x + y end
  print(f(), G.f)
end
print(x, y, f)
-- as a parameter
local function with(_ENV, v) a = v; return b end
local env = { b = "bee" }
print(with(env, 5), env.a, a)
-- as an upvalue, changed later
local function make()
  local _ENV <const> = setmetatable({}, { __index = G })
  function count() n = (n or 0) + 1; return n end
  return count, _ENV
end
local count, e = make()
print(count(), count(), e.n, n, e.print == print)
-- a strict environment
do
  local _ENV = setmetatable({}, {
    __index = function(_, k) G.error("undefined " .. k, 2) end,
    __newindex = function(_, k) G.error("assignment to " .. k, 2) end,
  })
  print(pcall(function() return foo end))
  print(pcall(function() bar = 1 end))
end
-- _ENV may be any value: errors tell of a global or an upvalue
do
  local _ENV = nil
  print(pcall(function() return x end))
  print(pcall(function() x = 1 end))
end
do local _ENV = "str"; print(len("abc"), pcall(function() return x.y end)) end
print((select(2, pcall(function() undefinedname.x = 1 end))))
print((select(2, pcall(function() undefinedname() end))))
print((select(2, pcall(function() return undefinedname .. "" end))))
print((select(2, pcall(function() local t = {}; t.x.y = 1 end))))
-- loaded chunks have _ENV as their one upvalue
local c = load("v = 1; return _ENV", "c", "t", { mark = true })
print(c().mark, c().v, v)
print(load("return _ENV")() == G, load("local _ENV = {}; return x")())
-- _G is only a field
local saved = _G
_G = nil
print(_G, print ~= nil, tostring(1))
_ENV._G = saved
print(_G == _ENV)
