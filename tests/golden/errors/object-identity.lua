--- pass
--- truetable truefunction truethread trueboolean trueboolean trueinteger truefloat truestring truetable 
--- false	nil
--- false	nil
--- 2
--- true	true	true	true
--- true	true	true	true	true
--- false	IOError: disk full	IOError	true
--- 1	handled a	S
--- false	B: b
--- true
--- m
--- false	E
--- inner:E outer:E
--- true	true
--- integer	golden:42: 1	2
--- true	8
---
-- Manual 2.3: any value may be an error object, and it arrives as itself.
local values = { {}, print, coroutine.create(print), true, false, 42, 1.5, "text", setmetatable({}, { __tostring = function() return "ts" end }) }
for i, v in ipairs(values) do local ok, e = pcall(error, v, 0); io.write(tostring(not ok and e == v), math.type(e) or type(e), " ") end print()
print(pcall(error, nil)); print(pcall(error)); print(select("#", pcall(error, nil)))
-- through several layers of pcall, coroutines and metamethods
local obj = { code = 404 }
local function deep(n) if n == 0 then error(obj) end deep(n - 1) end
print(select(2, pcall(deep, 50)) == obj, select(2, pcall(pcall, deep, 5)) == false, select(2, coroutine.resume(coroutine.create(deep), 3)) == obj, select(2, pcall(coroutine.wrap(deep), 3)) == obj)
print(select(2, pcall(function() return setmetatable({}, { __index = function() error(obj) end }).x end)) == obj, select(2, pcall(table.sort, { 2, 1 }, function() error(obj) end)) == obj, select(2, pcall(string.gsub, "x", "x", function() error(obj) end)) == obj, select(2, pcall(load, function() error(obj) end)) == nil, select(3, pcall(load, function() error(obj) end)) == obj)
-- class of errors with fields, inheritance and tostring
local E = {}; E.__index = E; E.__tostring = function(e) return e.class .. ": " .. e.msg end
local function throw(class, msg, level) error(setmetatable({ class = class, msg = msg }, E), level) end
local ok, e = pcall(throw, "IOError", "disk full"); print(ok, tostring(e), e.class, getmetatable(e) == E)
local function try(f, handlers) local r = table.pack(pcall(f)); if r[1] then return table.unpack(r, 2, r.n) end local h = handlers[type(r[2]) == "table" and r[2].class or type(r[2])]; if h then return h(r[2]) end error(r[2], 0) end
print(try(function() return 1, 2 end, {}), try(function() throw("A", "a") end, { A = function(x) return "handled " .. x.msg end }), try(function() error("s", 0) end, { string = string.upper })); print(pcall(try, function() throw("B", "b") end, { A = print }))
-- rethrow keeps identity and adds nothing
ok, e = pcall(function() local ok, x = pcall(error, obj); error(x) end); print(e == obj); ok, e = pcall(function() local ok, x = pcall(error, "m", 0); error(x, 0) end); print(e)
-- finally by to-be-closed variables
local log = {}; local function finally(f) return setmetatable({}, { __close = function(_, err) log[#log + 1] = f .. ":" .. tostring(err) end }) end
print(pcall(function() local _ <close> = finally "outer"; local _ <close> = finally "inner"; error("E", 0) end)); print(table.concat(log, " "))
-- an object changed by a handler on its way
print(select(2, xpcall(function() error(obj) end, function(x) x.seen = true; return x end)) == obj, obj.seen)
-- numbers become no strings in error values, but positions are added to real strings only
print(math.type(select(2, pcall(error, 1))), select(2, pcall(function() error("1") end)), select(2, pcall(function() error(1) end)) + 1)
-- assert passes its message through
print(select(2, pcall(assert, false, obj)) == obj, select(2, pcall(assert, nil, 7)) + 1)
