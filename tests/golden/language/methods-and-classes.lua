--- pass
--- 120	120	nil
--- false	golden:25: insufficient funds
--- -35	true	true	nil
--- false	golden:37: over limit
--- -15
--- Paul	2	nil
--- 6	1	nil
--- (4, 6)	(6, 12)	(-1, -2)	2	8	true	true
--- Mon	2	false	golden:75: read-only: 3
--- anything!
---
-- Manual 2.4, 3.4.10: objects with metatables, as programs use them.
local Account = {}
Account.__index = Account
function Account.new(b) return setmetatable({ balance = b or 0 }, Account) end
function Account:deposit(v) self.balance = self.balance + v; return self end
function Account:withdraw(v)
  if v > self.balance then error("insufficient funds", 2) end
  self.balance = self.balance - v
  return self
end
local a = Account.new(100)
print(a:deposit(50):withdraw(30).balance, a.balance, Account.balance)
print(pcall(function() a:withdraw(1000) end))
-- inheritance
local Special = setmetatable({}, { __index = Account })
Special.__index = Special
function Special.new(b, limit) local o = Account.new(b); o.limit = limit; return setmetatable(o, Special) end
function Special:withdraw(v)
  if v - self.balance >= self.limit then error("over limit", 2) end
  self.balance = self.balance - v
  return self
end
local s = Special.new(10, 100)
print(s:deposit(5):withdraw(50).balance, getmetatable(s) == Special, s.deposit == Account.deposit, rawget(s, "deposit"))
print(pcall(function() s:withdraw(500) end))
-- calling the overridden method
function Special:deposit(v) Account.deposit(self, v * 2); return self end
print(s:deposit(10).balance)
-- multiple inheritance by search function
local function inherits(...)
  local parents = { ... }
  local c = setmetatable({}, { __index = function(_, k) for _, p in ipairs(parents) do local v = p[k]; if v ~= nil then return v end end end })
  c.__index = c
  return c
end
local Named = { getname = function(self) return self.name end }
local NamedAccount = inherits(Account, Named)
local na = setmetatable({ balance = 1, name = "Paul" }, NamedAccount)
print(na:getname(), na:deposit(1).balance, na.nothing)
-- privacy by closures
local function counter()
  local n = 0
  return { inc = function(by) n = n + (by or 1); return n end, get = function() return n end }
end
local c1, c2 = counter(), counter()
c1.inc(); c1.inc(5); c2.inc()
print(c1.get(), c2.get(), c1.n)
-- operators and tostring of a class
local V = {}
V.__index = V
local function vec(x, y) return setmetatable({ x = x, y = y }, V) end
V.__add = function(p, q) return vec(p.x + q.x, p.y + q.y) end
V.__mul = function(p, k) if type(p) == "number" then p, k = k, p end return vec(p.x * k, p.y * k) end
V.__eq = function(p, q) return p.x == q.x and p.y == q.y end
V.__unm = function(p) return vec(-p.x, -p.y) end
V.__tostring = function(p) return "(" .. p.x .. ", " .. p.y .. ")" end
V.__len = function() return 2 end
V.__call = function(p, i) return i == 1 and p.x or p.y end
print(tostring(vec(1, 2) + vec(3, 4)), tostring(2 * vec(1, 2) * 3), tostring(-vec(1, 2)), #vec(1, 2), vec(7, 8)(2), vec(1, 2) == vec(1, 2), vec(1, 2) ~= vec(1, 3))
-- read-only proxies and defaults
local function readonly(t) return setmetatable({}, { __index = t, __newindex = function(_, k) error("read-only: " .. tostring(k), 2) end, __len = function() return #t end }) end
local days = readonly { "Mon", "Tue" }
print(days[1], #days, pcall(function() days[3] = "x" end))
print(setmetatable({}, { __index = function(_, k) return k .. "!" end }).anything)
