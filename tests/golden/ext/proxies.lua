--- pass
--- true	true	false	true	table	nil
--- by key	other	0
--- nil	true
--- true	true	true
--- true	2
--- true
--- nil	nil	0	true
--- rawset on an external table
--- rawset on an external table
--- one	nil
--- false	false	cannot change a protected metatable
--- cannot change a protected metatable
--- true
--- x	true	1
--- x	one	nil
--- golden:99: attempt to perform arithmetic on a ext.table value (upvalue 't')
--- golden:100: attempt to perform arithmetic on a ext.table value (upvalue 't')
--- golden:101: attempt to perform arithmetic on a ext.table value (upvalue 't')
--- golden:102: attempt to perform bitwise operation on a ext.table value (upvalue 't')
--- golden:103: attempt to concatenate a ext.table value (upvalue 't')
--- golden:104: attempt to compare two ext.table values
--- golden:105: attempt to compare ext.table with number
--- golden:106: attempt to call a ext.table value (upvalue 't')
--- golden:107: attempt to index a nil value (field 'none')
--- golden:108: attempt to index a nil value (field 'none')
--- golden:109: attempt to call a nil value (method 'method')
--- bad argument #1 to 'math.floor' (number expected, got ext.table)
--- bad argument #2 to 'string.rep' (number expected, got ext.table)
--- golden:112: bad 'for' limit (number expected, got ext.table)
--- golden:113: attempt to call a ext.table value (for iterator 'for iterator')
--- true	false
--- true	true
--- 3	0	0	1
--- t u
--- false	true	false
--- bad argument #1 to '?' (string expected, got no value)
--- bad argument #1 to '?' (name of a table must not be empty)
--- bad argument #1 to '?' (string expected, got number)
--- bad argument #1 to '?' (string expected, got ext.table)
--- bad argument #1 to '?' (name of a table must not be longer than 1024 bytes)
--- bad argument #1 to '?' (name of a table must be valid UTF-8)
--- true	true	true	true
--- bad argument #1 to '?' (external table expected, got no value)
--- bad argument #1 to '?' (external table expected, got table)
--- bad argument #1 to '?' (external table expected, got string)
--- bad argument #1 to '?' (external table expected, got ext.table)
--- bad argument #1 to '?' (string expected, got no value)
--- bad argument #1 to '?' (string expected, got ext.table)
--- bad argument #1 to '?' (function expected, got no value)
--- bad argument #1 to '?' (function expected, got ext.table)
--- bad argument #1 to '?' (function expected, got string)
--- golden:139: external table was dropped or its store is closed
--- golden:140: external table was dropped or its store is closed
--- golden:141: external table was dropped or its store is closed
--- golden:142: external table was dropped or its store is closed
--- external table was dropped or its store is closed
--- external table was dropped or its store is closed
--- external table was dropped or its store is closed
--- external table was dropped or its store is closed
--- external table was dropped or its store is closed
--- table	true	0	nil	false	ext.table
--- false	0	nil
--- 1	1	2
---
-- What an external table is to the rest of Lua: a value with an identity, whose inside nobody reaches.
local t, u = ext.table("t"), ext.table("u")
local function err(f, ...) print((select(2, pcall(f, ...)))) end
t[1], t.x = "one", "x"

-- Identity.
print(t == ext.table("t"), rawequal(t, ext.table("t")), t == u, t ~= u, type(t), math.type(t))
local plain = { [t] = "by key", [u] = "other" }
print(plain[ext.table("t")], plain[ext.table("u")], #plain)
plain[t] = nil
print(plain[t], next(plain) == u)
print(tostring(t):match("^ext%.table: ") ~= nil, tostring(t) == tostring(ext.table("t")), tostring(t) ~= tostring(u))
print(("%s"):format(t) == tostring(t), select("#", t, u))
local held = setmetatable({}, { __mode = "v" })
held[1] = t
collectgarbage()
print(held[1] == t)

-- Raw access sees a proxy, which is empty, and may not fill it.
print(rawget(t, 1), rawget(t, "x"), rawlen(t), rawequal(t, t))
err(rawset, t, 1, 2)
err(rawset, t, "y", nil)
print(t[1], t.y)
-- The metatable is closed.
print(getmetatable(t), pcall(setmetatable, t, nil))
err(setmetatable, t, {})
print(getmetatable(setmetatable({}, t)) == t)
-- As a metatable, or its __index, it is a table like any other.
print(setmetatable({}, { __index = t }).x, pcall(function() setmetatable({}, { __newindex = t }).y = 1 end), t.y)
local class = setmetatable({}, { __index = function(_, k) return t[k] end })
print(class.x, class[1], class.none)

-- Operations that tables do not have: Lua's words, and what it is.
err(function() return t + 1 end)
err(function() return 2 ^ t end)
err(function() return -t end)
err(function() return t & 1 end)
err(function() return t .. "" end)
err(function() return t < u end)
err(function() return t <= 1 end)
err(function() return t() end)
err(function() return t.none.field end)
err(function() t.none.field = 1 end)
err(function() t:method() end)
err(math.floor, t)
err(string.rep, "x", t)
err(function() for _ = 1, t do end end)
err(function() for _ in t do end end)
print(select(2, pcall(error, t)) == t, select(2, pcall(error, u)) == t)
local function varargs(...) return select("#", ...), ... end
print(varargs(t) == 1, (select(2, varargs(t))) == t)

-- The functions of ext.
print(ext.count(t), select("#", ext.clear(u)), ext.count(u), select("#", ext.tables()))
print(table.concat(ext.tables(), " "))
print(ext.drop("none"), ext.drop("u"), ext.drop("u"))
err(ext.table)
err(ext.table, "")
err(ext.table, 5)
err(ext.table, t)
err(ext.table, ("n"):rep(1025))
err(ext.table, "\xFF")
print(ext.table(("n"):rep(1024)) ~= nil, ext.drop(("n"):rep(1024)), ext.table("\0 \u{1F600}") ~= nil, ext.drop("\0 \u{1F600}"))
err(ext.count)
err(ext.count, {})
err(ext.count, "t")
err(ext.clear, setmetatable({}, { __name = "ext.table" }))
err(ext.drop)
err(ext.drop, t)
err(ext.transaction)
err(ext.transaction, t)
err(ext.transaction, "print")
-- Dropped: an error for everything that asks for its contents, and for nothing else.
err(function() return u.x end)
err(function() u.x = 1 end)
err(function() u.x = nil end)
err(function() return #u end)
err(ext.count, u)
err(ext.clear, u)
err(next, u)
err(ipairs(u), u, 0)
err((pairs(u)))
print(type(u), u == u, rawlen(u), rawget(u, 1), getmetatable(u), tostring(u):match("^[%a.]+"))
local new = ext.table("u")
print(new == u, ext.count(new), new.x)
-- A name is bytes: no other spelling of it is the same table.
ext.table("é").x, ext.table("e\u{301}").x = 1, 2
print(ext.table("é").x, ext.table("\xC3\xA9").x, ext.table("e\u{301}").x)
