--- pass
--- =golden golden main 0 0
--- =golden Lua 41 43
--- =[C] [C] C -1 -1
--- @a/b.lua a/b.lua
--- [string "return 1..."]
--- 601
--- 48	-1	-1
--- 50
--- local a_local
--- global a_global
--- field field
--- method method
--- metamethod index
--- true	 nil
---  nil
--- false	true
--- 0 2 false
--- 1 1 true
--- 0 0 true
--- 0 true
--- 
--- currentline
--- isvararg lastlinedefined linedefined nparams nups short_src source what
--- currentline istailcall isvararg lastlinedefined linedefined namewhat nparams nups short_src source what
--- nil	nil	nil	C
--- 70	C	nil	41
--- nil
--- bad argument #1 to 'debug.getinfo' (number expected, got no value)
--- bad argument #1 to 'debug.getinfo' (number expected, got string)
--- bad argument #2 to 'debug.getinfo' (invalid option)
--- bad argument #2 to 'debug.getinfo' (invalid option '>')
--- bad argument #2 to 'debug.getinfo' (string expected, got table)
--- bad argument #2 to 'debug.getinfo' (number expected, got string)
--- bad argument #1 to 'debug.getinfo' (number has no integer representation)
---
-- Manual 6.10: debug.getinfo with the options S, l, n, t and u; the strict sandbox leaves f, L and r out.
local function err(f, ...) print((select(2, pcall(f, ...)))) end
local function show(info, ...) local r = {}; for _, name in ipairs { ... } do r[#r + 1] = tostring(info[name]) end print(table.concat(r, " ")) end
-- S: the place where a function is defined
local function two(a, b)
  return a, b
end
show(debug.getinfo(1, "S"), "source", "short_src", "what", "linedefined", "lastlinedefined")
show(debug.getinfo(two, "S"), "source", "what", "linedefined", "lastlinedefined"); show(debug.getinfo(print, "S"), "source", "short_src", "what", "linedefined", "lastlinedefined")
show(debug.getinfo(load("return 1", "@a/b.lua"), "S"), "source", "short_src"); show(debug.getinfo(load("return 1\n"), "S"), "short_src"); print(#debug.getinfo(load(" " .. ("x = 1 "):rep(100)), "S").source)
-- l: the line that runs
print(debug.getinfo(1, "l").currentline, debug.getinfo(two, "l").currentline, debug.getinfo(print, "l").currentline)
local function here() return debug.getinfo(2, "l").currentline end
local line = here(); print(line)
-- n: the name by which a function was called
local function named() local info = debug.getinfo(2, "n"); return info.namewhat .. " " .. tostring(info.name) end
local function a_local() local r = named(); return r end
function a_global() local r = named(); return r end
local o = {}; function o.field() local r = named(); return r end; function o:method() local r = named(); return r end
print(a_local()); print(a_global()); print(o.field()); print(o:method()); print(setmetatable({}, { __index = function() local r = named(); return r end }).x); print(pcall(a_local)); show(debug.getinfo(print, "n"), "namewhat", "name")
-- t: tail calls
local function tail() return debug.getinfo(1, "t").istailcall end
local function calls() return tail() end
local plain = tail(); print(plain, calls())
-- u: upvalues and parameters
show(debug.getinfo(two, "u"), "nups", "nparams", "isvararg"); show(debug.getinfo(show, "u"), "nups", "nparams", "isvararg"); show(debug.getinfo(print, "u"), "nups", "nparams", "isvararg"); show(debug.getinfo(1, "u"), "nparams", "isvararg")
-- fields that were not asked for are not there; letters may come twice and in any order
local function keys(t) local r = {}; for k in pairs(t) do r[#r + 1] = k end table.sort(r); return table.concat(r, " ") end
print(keys(debug.getinfo(two, ""))); print(keys(debug.getinfo(two, "l"))); print(keys(debug.getinfo(two, "uSu")))
print(keys(debug.getinfo(1, "Slntu")))
-- levels, and other threads
print(debug.getinfo(1000), debug.getinfo(-1), debug.getinfo(math.maxinteger), debug.getinfo(0, "S").what)
local co = coroutine.create(function() local x = 1
  coroutine.yield(x) end); coroutine.resume(co)
print(debug.getinfo(co, 1, "l").currentline, debug.getinfo(co, 0, "S").what, debug.getinfo(co, 5), debug.getinfo(co, two, "S").linedefined)
coroutine.resume(co); print(debug.getinfo(co, 0))
-- errors
err(debug.getinfo); err(debug.getinfo, "x"); err(debug.getinfo, 1, "X"); err(debug.getinfo, 1, ">S"); err(debug.getinfo, 1, {}); err(debug.getinfo, co, "x"); err(debug.getinfo, 1.5)
