--- pass
--- 42	1.0	nil
--- hello you	nil
--- 5	true
--- ab	c
--- big	big.part	big	true
--- 1	true
--- false	6	7
--- false	golden:42: undeclared undeclared_one
--- false	golden:42: undefined undefined_one
--- nil	true
--- 1
--- nil
--- true	nil	nil	nil	nil	nil	nil	nil	nil	nil	true	nil
--- false	golden:45: attempt to index a nil value (global 'jit')
--- nil	nil	nil
--- 3
--- xy	true	true
---
-- Published pure-Lua libraries load unchanged: the shapes they come in.
-- 1: a module table; 2: the old seeall habit by hand; 3: a class returned; 4: a function returned; 5: submodules by (...)
local src = {
  plain = "local M = {} local function hidden(x) return x + 1 end function M.inc(x) return hidden(x) end M._VERSION = '1.0' return M",
  env = "local _ENV = setmetatable({}, { __index = _G }) function hello(n) return 'hello ' .. n end return _ENV",
  class = "local C = {} C.__index = C setmetatable(C, { __call = function(cls, ...) local o = setmetatable({}, cls) o:init(...) return o end }) function C:init(n) self.n = n end function C:get() return self.n end return C",
  fn = "return function(a, b) return a .. (b or '') end",
  ["big"] = "local name = ... local M = { sub = require(name .. '.part') } M.name = name return M",
  ["big.part"] = "return { id = (...), parent = (...):match('^(.-)%.') }",
  global = "GlobalLib = { v = 1 } return GlobalLib",
  guarded = "local ok, lfs = pcall(require, 'lfs') local unpack = table.unpack or unpack local loadstring = loadstring or load return { lfs = ok, sum = function(t) local s = 0 for _, v in ipairs { unpack(t) } do s = s + v end return s end, l = loadstring('return 7')() }",
}
for name, text in pairs(src) do package.preload[name] = assert(load(text, "@" .. name .. ".lua", "t")) end
print(require("plain").inc(41), require("plain")._VERSION, require("plain").hidden)
print(require("env").hello("you"), hello)
print(require("class")(5):get(), getmetatable(require("class")(1)) == require("class"))
print(require("fn")("a", "b"), require "fn" "c")
print(require("big").name, require("big").sub.id, require("big").sub.parent, package.loaded["big.part"] ~= nil)
print(require("global").v, GlobalLib == require("global"))
print(require("guarded").lfs, require("guarded").sum { 1, 2, 3 }, require("guarded").l)
-- strict mode as libraries install it
local strict = setmetatable(_G, { __newindex = function(_, k) error("undeclared " .. k, 2) end, __index = function(_, k) error("undefined " .. k, 2) end })
print(pcall(function() undeclared_one = 1 end)); print(pcall(function() return undefined_one end)); print(rawget(_G, "x"), (pcall(rawset, _G, "declared", 1))); print(declared); setmetatable(_G, nil); print(x)
-- feature tests of old code
print(_VERSION == "Lua 5.4", unpack, loadstring, setfenv, getfenv, module, table.getn, table.maxn, string.gfind, math.mod, rawlen ~= nil, bit32)
print(pcall(function() return jit.version end)); print(type(jit), type(ngx), type(arg))
-- a module that is replaced while in use (monkey patch), and a lazy field loader
local plain = require "plain"; local orig = plain.inc; plain.inc = function(x) return orig(orig(x)) end; print(require("plain").inc(1))
local lazy = setmetatable({}, { __index = function(t, k) local v = require(k); rawset(t, k, v); return v end }); print(lazy.fn("x", "y"), rawget(lazy, "fn") == require "fn", pcall(function() return lazy.absent end) == false)
