--- pass
--- own	nil	1	1
--- 2	0	3	3	0
--- false	true	true	true	false	true	true
--- true	5
--- 0
--- virtual	42	true
--- index nope, len, eq, newindex other	nil
--- nil
--- two
--- bad argument #1 to 'rawget' (table expected, got number)
--- bad argument #2 to 'rawget' (value expected)
--- bad argument #1 to 'rawget' (table expected, got string)
--- bad argument #1 to 'rawget' (table expected, got no value)
--- table index is nil
--- table index is NaN
--- bad argument #3 to 'rawset' (value expected)
--- bad argument #1 to 'rawset' (table expected, got number)
--- bad argument #2 to 'rawset' (value expected)
--- bad argument #1 to 'rawlen' (table or string expected, got number)
--- bad argument #1 to 'rawlen' (table or string expected, got nil)
--- bad argument #1 to 'rawlen' (table or string expected, got no value)
--- bad argument #1 to 'rawlen' (table or string expected, got function)
--- bad argument #2 to 'rawequal' (value expected)
--- bad argument #1 to 'rawequal' (value expected)
--- false	read-only
--- 1
---
-- Manual 6.1: rawequal, rawget, rawlen, rawset.
local function err(f, ...) print((select(2, pcall(f, ...)))) end
local log = {}
local t = setmetatable({ 1, 2, x = "own" }, {
  __index = function(_, k) log[#log + 1] = "index " .. tostring(k); return "virtual" end,
  __newindex = function(_, k) log[#log + 1] = "newindex " .. tostring(k) end,
  __len = function() log[#log + 1] = "len"; return 42 end,
  __eq = function() log[#log + 1] = "eq"; return true end,
})
local u = setmetatable({}, getmetatable(t))
print(rawget(t, "x"), rawget(t, "nope"), rawget(t, 1), rawget(t, 1.0))
print(rawlen(t), rawlen({}), rawlen("abc"), rawlen("a\0b"), rawlen(u))
print(rawequal(t, u), rawequal(t, t), rawequal(1, 1.0), rawequal("a", "a"), rawequal(nil, false), rawequal(nil, nil), rawequal(0, -0.0))
print(rawset(t, "new", 5) == t, rawget(t, "new"))
print(#log)
print(t.nope, #t, t == u)
t.other = 1
print(table.concat(log, ", "), rawget(t, "other"))
rawset(t, 1, nil); print(rawget(t, 1))
rawset(t, 2.0, "two"); print(rawget(t, 2))
err(rawget, 1, 2); err(rawget, {}); err(rawget, "s", 1); err(rawget)
err(rawset, {}, nil, 1); err(rawset, {}, 0 / 0, 1); err(rawset, {}, 1); err(rawset, 1, 2, 3); err(rawset, {})
err(rawlen, 5); err(rawlen, nil); err(rawlen); err(rawlen, print)
err(rawequal, 1); err(rawequal)
-- rawset goes past a protected metatable's __newindex
local locked = setmetatable({}, { __metatable = "no", __newindex = function() error("read-only", 0) end })
print(pcall(function() locked.x = 1 end)); rawset(locked, "x", 1); print(locked.x)
