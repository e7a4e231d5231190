--- pass
--- loading	mymod	:preload:
--- mymod	1	:preload:
--- true	1	true	1
--- loading	mymod	:preload:
--- 2	true	2
--- true	:preload:
--- true
--- set by itself	:preload:
--- returned	:preload:
--- false	:preload:
--- false	:preload:
--- 2	false
--- 1	:preload:
--- 42
--- again
--- broken loader
--- nil
--- repaired
--- table
--- false	module 'no.such.module' not found:
--- 	no field package.preload['no.such.module']
--- bad argument #1 to 'require' (string expected, got no value)
--- bad argument #1 to 'require' (string expected, got table)
--- bad argument #1 to 'require' (string expected, got nil)
--- true true true true true true true true true true 
--- ab	ab
--- dotted.name with space
--- false
--- false
---
-- Manual 6.3: require with package.preload and package.loaded.
local function err(f, ...) print((select(2, pcall(f, ...)))) end
local loads = 0
package.preload.mymod = function(...) loads = loads + 1; print("loading", ...); return { name = "mymod", n = loads } end
local m, extra = require "mymod"; print(m.name, m.n, extra); print(require("mymod") == m, loads, package.loaded.mymod == m, select("#", require "mymod"))
-- forgetting it loads anew
package.loaded.mymod = nil; print(require("mymod").n, require("mymod") ~= m, loads)
-- results: nil becomes true unless package.loaded was set; false is kept and means not loaded
package.preload.noresult = function() end; print(require "noresult"); print(package.loaded.noresult)
package.preload.selfset = function(name) package.loaded[name] = "set by itself" end; print(require "selfset")
package.preload.both = function(name) package.loaded[name] = "set"; return "returned" end; print(require "both")
package.preload.falsy = function() loads = loads + 1; return false end; local before = loads; print(require "falsy"); print(require "falsy"); print(loads - before, package.loaded.falsy)
package.preload.many = function() return 1, 2, 3 end; print(require "many")
package.loaded.given = 42; print(require "given"); package.loaded.given = "again"; print(require "given")
-- errors in the loader come through, and nothing is remembered
package.preload.broken = function() error("broken loader", 0) end; err(require, "broken"); print(package.loaded.broken); package.preload.broken = function() return "repaired" end; print((require "broken"))
package.preload.object = function() error({ code = 1 }) end; print(type(select(2, pcall(require, "object"))))
-- not found: the message begins with the name and the preload line
local ok, msg = pcall(require, "no.such.module"); print(ok, msg:match("^[^\n]*\n[^\n]*")); err(require); err(require, {}); err(require, nil)
-- the standard libraries are modules
for _, n in ipairs { "string", "table", "math", "utf8", "coroutine", "os", "io", "package", "_G", "debug" } do io.write(tostring(require(n) == package.loaded[n] and (n == "_G" and _G or _G[n]) == package.loaded[n]), " ") end print()
-- modules that need each other, in both orders of definition
package.preload.a = function() local M = {}; package.loaded.a = M; M.b = require "b"; M.v = "a" .. M.b.v; return M end; package.preload.b = function() return { v = "b", a = function() return require("a").v end } end; print(require("a").v, require("b").a())
-- names are any strings; preload may have a metatable
package.preload["dotted.name with space"] = function(n) return n end; print((require "dotted.name with space")); setmetatable(package.preload, { __index = function(_, k) return nil end }); print((pcall(require, "still missing"))); setmetatable(package.preload, nil)
package.preload["notafunction"] = 5; print((pcall(require, "notafunction")))
