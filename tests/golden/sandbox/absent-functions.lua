--- pass
--- dofile	nil
--- loadfile	nil
--- string.dump	nil
--- os.execute	nil
--- os.remove	nil
--- os.rename	nil
--- os.tmpname	nil
--- os.exit	nil
--- io.open	nil
--- io.popen	nil
--- io.tmpfile	nil
--- package.loadlib	nil
--- debug.sethook	nil
--- debug.gethook	nil
--- debug.getlocal	nil
--- debug.setlocal	nil
--- debug.getupvalue	nil
--- debug.setupvalue	nil
--- debug.upvalueid	nil
--- debug.upvaluejoin	nil
--- debug.getregistry	nil
--- debug.getmetatable	nil
--- debug.setmetatable	nil
--- debug.getuservalue	nil
--- debug.setuservalue	nil
--- debug.debug	nil
--- debug.setcstacklimit	nil
--- nil	nil	nil	nil	nil	nil	nil
--- true	true	true	true
--- golden:49: attempt to call a nil value (field 'execute')
--- golden:49: attempt to call a nil value (field 'open')
--- golden:49: attempt to call a nil value (global 'dofile')
--- golden:49: attempt to call a nil value (field 'getlocal')
--- golden:49: attempt to call a nil value (field 'dump')
--- golden:49: attempt to call a nil value (method 'dump')
--- golden:49: attempt to call a nil value (field 'loadlib')
--- getinfo traceback
---
-- What the strict sandbox does not have: nil, not a function that fails.
local function absent(path) local v = _G; for name in path:gmatch "[^.]+" do v = v[name] end print(path, v) end
absent "dofile"; absent "loadfile"; absent "string.dump"; absent "os.execute"; absent "os.remove"; absent "os.rename"; absent "os.tmpname"; absent "os.exit"; absent "io.open"; absent "io.popen"; absent "io.tmpfile"; absent "package.loadlib"
for _, n in ipairs { "sethook", "gethook", "getlocal", "setlocal", "getupvalue", "setupvalue", "upvalueid", "upvaluejoin", "getregistry", "getmetatable", "setmetatable", "getuservalue", "setuservalue", "debug", "setcstacklimit" } do absent("debug." .. n) end
-- also not through the tables of loaded modules, and not as methods
print(package.loaded.os.execute, package.loaded.io.open, package.loaded.debug.getlocal, package.loaded._G.dofile, require("os").exit, require("io").popen, ("x").dump)
print(package.loaded.os == os, package.loaded.io == io, package.loaded.debug == debug, package.loaded.package == package)
-- calling them says which name is missing
local function err(f) print((select(2, pcall(f)))) end
err(function() os.execute("true") end); err(function() io.open("x") end); err(function() dofile("x") end); err(function() debug.getlocal(1, 1) end); err(function() string.dump(print) end); err(function() return ("x"):dump() end); err(function() package.loadlib("a", "b") end)
-- names of older Lua versions and of other runtimes are not there either
for _, n in ipairs { "loadstring", "unpack", "setfenv", "getfenv", "module", "newproxy", "gcinfo", "bit32", "bit", "jit", "ffi", "arg", "js", "window", "document", "globalThis", "process", "wasm" } do if _G[n] ~= nil then print("present", n) end end
-- what remains of debug
local names = {}; for k in pairs(debug) do names[#names + 1] = k end table.sort(names) print(table.concat(names, " "))
