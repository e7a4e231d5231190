--- pass
--- /|;|?|!|-|	string	table	table	table	true	function	function
--- nil	no file './no/such.lua'
--- 	no file '/none/no/such.x'
--- nil	no file './no/such.lua'
--- nil	no file 'a-b-a-b'
--- nil	no file 'no.such'
--- nil	no file 'no/such.q'
--- nil	no file 'no#such.q'
--- nil	no file '/none/x/y/z/init.lua'
--- bad argument #2 to 'package.searchpath' (string expected, got no value)
--- bad argument #2 to 'package.searchpath' (string expected, got table)
--- bad argument #1 to 'package.searchpath' (string expected, got table)
--- true	:preload:
--- no field package.preload['absent']
--- thing	virtual.thing	data:thing	data:thing
--- true
--- data:other
--- onlynil	nil
--- searcher failed
--- 42	lib.util
--- lib.bad:1: unexpected symbol near 'return'
--- false
--- after
--- true	true	nil
---
-- Manual 6.3: package.config, path, searchers, searchpath.
local function err(f, ...) print((select(2, pcall(f, ...)))) end
print((package.config:gsub("\n", "|")), type(package.path), type(package.loaded), type(package.preload), type(package.searchers), #package.searchers >= 2, type(package.searchers[1]), type(package.searchpath))
-- searchpath: files that are not there
print(package.searchpath("no.such", "./?.lua;/none/?.x")); print(package.searchpath("no.such", "./?.lua")); print(package.searchpath("a-b", "?-?")); print(package.searchpath("no.such", "?", "")); print(package.searchpath("no_such", "?.q", "_")); print(package.searchpath("no_such", "?.q", "_", "#")); print(package.searchpath("x.y.z", "/none/?/init.lua", ".", "/")); err(package.searchpath, "x"); err(package.searchpath, "x", {}); err(package.searchpath, {}, "x")
-- the preload searcher: loader and ":preload:", or a message
package.preload.pm = function() return "pm" end; local l, x = package.searchers[1]("pm"); print(l == package.preload.pm, x); print(package.searchers[1]("absent"))
-- a searcher of one's own: loader and data for it
table.insert(package.searchers, 2, function(name) local n = name:match("^virtual%.(.+)"); if n then return function(...) return { n, ... } end, "data:" .. n end return "\n\tno virtual '" .. name .. "'" end)
local m, d = require "virtual.thing"; print(m[1], m[2], m[3], d); print(select(2, pcall(require, "absent")):find("no virtual 'absent'", 1, true) ~= nil)
-- searchers may return nil, or a loader only
table.insert(package.searchers, 2, function() return nil end); print(select(2, require "virtual.other")); table.remove(package.searchers, 2)
table.insert(package.searchers, 2, function(name) if name == "only" then return function(n, extra) return tostring(n) .. tostring(extra) end end end); print(require "only"); table.remove(package.searchers, 2)
-- a searcher that fails, and one that is no function
table.insert(package.searchers, 2, function() error("searcher failed", 0) end); err(require, "anything"); table.remove(package.searchers, 2)
-- a virtual file system by load
local files = { ["lib.util"] = "local M = {} function M.twice(x) return x * 2 end M.name = ... return M", ["lib.bad"] = "return return" }
table.insert(package.searchers, 2, function(name) local src = files[name]; if not src then return nil end local f, m = load(src, "=" .. name); if not f then error(m, 0) end return f, name end)
print(require("lib.util").twice(21), require("lib.util").name); err(require, "lib.bad"); table.remove(package.searchers, 2)
-- package.searchers that is no table is an error
local saved = package.searchers; package.searchers = nil; print((pcall(require, "zzz"))); package.searchers = saved; print((require "virtual.after")[1])
print(package.loaded._G == _G, package.loaded["virtual.thing"] == m, getmetatable(package.loaded))
