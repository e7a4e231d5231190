--- pass
--- golden:92: attempt to index a nil value (local 'l')
--- golden:92: attempt to index a nil value (upvalue 'up')
--- golden:92: attempt to index a nil value (global 'g')
--- golden:92: attempt to index a nil value (field 'a')
--- golden:92: attempt to index a nil value (field 'x')
--- golden:92: attempt to index a nil value (field 'with space')
--- golden:92: attempt to index a nil value (field 'integer index')
--- golden:92: attempt to index a nil value (field '?')
--- golden:92: attempt to index a nil value (field 'x')
--- golden:93: attempt to call a nil value (local 'l')
--- golden:93: attempt to call a nil value (upvalue 'up')
--- golden:93: attempt to call a nil value (global 'g')
--- golden:93: attempt to call a nil value (field 'a')
--- golden:93: attempt to call a nil value (method 'a')
--- golden:93: attempt to call a nil value (field 'f')
--- golden:93: attempt to call a nil value (field 'integer index')
--- golden:93: attempt to call a nil value (method 'm')
--- golden:93: attempt to call a nil value
--- golden:93: attempt to call a nil value
--- golden:93: attempt to call a number value (field 'n')
--- golden:93: attempt to call a nil value (field 'nofn')
--- golden:93: attempt to call a nil value (method 'nofn')
--- golden:94: attempt to perform arithmetic on a table value (local 'l')
--- golden:94: attempt to perform arithmetic on a nil value (upvalue 'up')
--- golden:94: attempt to perform arithmetic on a nil value (global 'g')
--- golden:94: attempt to perform arithmetic on a nil value (field 'a')
--- golden:94: attempt to perform arithmetic on a table value (field 'sub')
--- golden:94: attempt to perform arithmetic on a table value (field 'sub')
--- golden:94: attempt to perform arithmetic on a table value (field 'sub')
--- golden:94: attempt to perform arithmetic on a nil value
--- golden:94: attempt to get length of a number value (field 'n')
--- golden:94: attempt to get length of a nil value (upvalue 'up')
--- golden:94: attempt to perform arithmetic on a nil value (local 'b')
--- golden:94: attempt to perform arithmetic on a table value (local 'a')
--- golden:94: attempt to perform arithmetic on a nil value (global 'g')
--- golden:95: attempt to concatenate a nil value (upvalue 'up')
--- golden:95: attempt to concatenate a nil value (upvalue 'up')
--- golden:95: attempt to concatenate a nil value (field 'a')
--- golden:95: attempt to concatenate a table value (field 'sub')
--- golden:95: attempt to concatenate a nil value (local 'l')
--- golden:95: attempt to concatenate a table value
--- golden:95: attempt to concatenate a nil value (global 'g')
--- golden:96: attempt to compare nil with number
--- golden:96: attempt to compare two table values
--- golden:96: attempt to compare table with number
--- golden:96: attempt to compare string with number
--- golden:96: attempt to compare two table values
--- golden:96: attempt to compare two nil values
--- golden:96: attempt to compare two function values
--- golden:97: number has no integer representation
--- golden:97: attempt to perform bitwise operation on a table value (field 'sub')
--- golden:97: attempt to perform bitwise operation on a nil value (upvalue 'up')
--- golden:97: number (local 'f') has no integer representation
--- golden:97: number (local 'f') has no integer representation
--- golden:97: attempt to perform bitwise operation on a nil value (global 'g')
--- false
--- golden:98: bad 'for' limit (number expected, got nil)
--- golden:98: attempt to call a nil value (for iterator 'for iterator')
--- golden:98: bad 'for' initial value (number expected, got table)
--- golden:98: variable 'x' got a non-closable value
--- golden:99: table index is nil
--- golden:99: table index is NaN
--- golden:99: attempt to index a nil value (upvalue 'up')
--- golden:99: attempt to index a nil value (field 'a')
--- golden:99: attempt to index a nil value (global 'g')
--- golden:99: attempt to index a string value (local 's')
--- golden:99: attempt to index a number value (field 'n')
--- golden:102: attempt to index a nil value
--- golden:102: attempt to index a nil value (upvalue 'up')
--- golden:102: attempt to index a nil value (field 'missing')
--- golden:102: attempt to call a nil value (field 'nope')
--- golden:102: attempt to call a nil value (method 'gone')
--- golden:102: attempt to index a nil value (global 'gg')
--- golden:102: attempt to call a nil value (field 'gg')
--- golden:102: attempt to index a nil value (global 'gg')
--- golden:102: attempt to index a nil value (field 'b')
--- golden:103: bad argument #1 to 'floor' (number expected, got table)
--- golden:103: bad argument #1 to 'rep' (number expected, got table)
--- golden:103: bad argument #1 to 'f' (string expected, got no value)
--- golden:103: bad argument #2 to 'r' (number expected, got string)
--- golden:103: bad argument #2 to 'f' (number expected, got table)
--- golden:103: attempt to call a nil value (method 'bad')
--- golden:103: bad argument #2 to 'format' (number expected, got string)
--- golden:103: bad argument #2 to 'setmetatable' (nil or table expected, got no value)
--- golden:103: bad argument #1 to 'format' (number expected, got string)
---
-- Manual 2.3; the messages of PUC-Rio Lua name the variable that is to blame.
local function err(f) print((select(2, pcall(f)))) end
local up, t = nil, { sub = {}, n = 1 }
g = nil
err(function() local l; l.x = 1 end); err(function() return up.x end); err(function() return g.x end); err(function() return t.a.b end); err(function() return t.sub.x.y end); err(function() return t["with space"].x end); err(function() return t[1].x end); err(function() local k = "key"; return t[k].x end); err(function() return ("s").x.y end)
err(function() local l; l() end); err(function() up() end); err(function() g() end); err(function() t.a() end); err(function() t:a() end); err(function() t.sub.f() end); err(function() t[1]() end); err(function() t.sub:m(1) end); err(function() (nil)() end); err(function() (function() end)()() end); err(function() t.n() end); err(function() string.nofn("x") end); err(function() ("x"):nofn() end)
err(function() local l = {}; return l + 1 end); err(function() return up + 1 end); err(function() return g + 1 end); err(function() return t.a + 1 end); err(function() return 1 + t.sub end); err(function() return t.sub * t.n end); err(function() return -t.sub end); err(function() return t.n + nil end); err(function() return #t.n end); err(function() return #up end); err(function() local a, b = 1; return a + b end); err(function() local a, b = {}, {}; return a + b end); err(function() return 2 ^ g end)
err(function() return "a" .. up end); err(function() return up .. "a" end); err(function() return t.a .. "x" end); err(function() return "x" .. t.sub .. "y" end); err(function() local l; return l .. l end); err(function() return 1 .. {} end); err(function() return g .. 1 end)
err(function() return up < 1 end); err(function() return t < t end); err(function() return t.sub <= 1 end); err(function() return "x" < 1 end); err(function() return {} > {} end); err(function() return nil >= nil end); err(function() return print < print end)
err(function() return t.n & 1.5 end); err(function() return t.sub | 1 end); err(function() return 1 << up end); err(function() local f = 2.5; return f & 1 end); err(function() local f = 2^80; return 1 ~ f end); err(function() return ~g end); err(function() return "3.5" // 0 == 1 and 1 | "x" end)
err(function() for i = 1, up do end end); err(function() for i in g do end end); err(function() for i = t, 1 do end end); err(function() local x <close> = t end)
err(function() t[nil] = 1 end); err(function() t[0 / 0] = 1 end); err(function() up[1] = 1 end); err(function() t.a.b = 1 end); err(function() g.x.y = 1 end); err(function() local s = "str"; s.x = 1 end); err(function() t.n.x = 1 end)
-- constants, upvalues of upvalues, fields of self
local K <const> = nil
err(function() return K.x end); err(function() return (function() return up.x end)() end); local obj = {}; function obj:m() return self.missing.x end; err(function() obj:m() end); function obj:call() self.nope() end; err(function() obj:call() end); function obj:meth() self:gone() end; err(function() obj:meth() end); err(function() _ENV.gg.x = 1 end); err(function() _G.gg() end); err(function() local _ENV = {}; return gg.x end); err(function() local a <const> = {}; return a.b.c end)
err(function() return math.floor({}) end); err(function() ("x"):rep({}) end); err(function() t.f = string.rep; t.f() end); err(function() local r = string.rep; r("x", "y") end); err(function() t.f("x", {}) end); err(function() return ("x"):bad() end); err(function() string.format("%d", "x") end); err(function() setmetatable({}) end); err(function() ("%d"):format("x") end)
