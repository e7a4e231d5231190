--- pass
--- overflow
--- overflow
--- overflow
--- overflow
--- overflow
--- overflow
--- too many local variables
--- function or expression needs too many registers
--- too many upvalues (limit is 255)
--- 600
--- 2
--- false	overflow
--- false	overflow
--- false	overflow
--- false	overflow
--- false	true
--- true	xxx
--- 101	false
---
-- Limits that end in errors: C levels, parser levels, registers, upvalues, constants. The state lives on after each.
local function try(src) local f, m = load(src, "=lim"); return f ~= nil, m end
local function has(m, ...) for _, s in ipairs { ... } do if tostring(m):find(s, 1, true) then return s end end return m end
local _, m = try("return " .. ("("):rep(500) .. "1" .. (")"):rep(500)); print(has(m, "overflow"))
_, m = try("return " .. ("{"):rep(500) .. ("}"):rep(500)); print(has(m, "overflow")); _, m = try(("do "):rep(500) .. ("end "):rep(500)); print(has(m, "overflow")); _, m = try("return " .. ("- "):rep(1000) .. "1"); print(has(m, "overflow")); _, m = try("x = " .. ("a.."):rep(500) .. "a"); print(has(m, "overflow", "registers")); _, m = try("return " .. ("function() return "):rep(300) .. "1 " .. ("end "):rep(300)); print(has(m, "overflow"))
local l = {}; for i = 1, 250 do l[i] = "a" .. i end
print(has(select(2, try("local " .. table.concat(l, ","))), "too many local variables")); print(has(select(2, try("local t = {}; t.x(" .. ("1,"):rep(300) .. "1)")), "function or expression needs too many registers", "registers"))
local ups = {}; for i = 1, 150 do ups[#ups + 1] = "local a" .. i end; ups[#ups + 1] = "local function f()"; for i = 1, 150 do ups[#ups + 1] = "local b" .. i end; ups[#ups + 1] = "return function() return 0"; for i = 1, 150 do ups[#ups + 1] = "+a" .. i .. "+b" .. i end; ups[#ups + 1] = " end end"
print(has(select(2, try(table.concat(ups, "\n"))), "too many upvalues (limit is 255)"))
-- many constants and long jumps are fine
local many = { "local t = {}" }; for i = 1, 600 do many[#many + 1] = "t[" .. i .. "] = 'k" .. i .. "'" end; many[#many + 1] = "return #t"; print(load(table.concat(many, "\n"))())
local jump = { "local n = 0 while n < 2 do n = n + 1" }; for i = 1, 1000 do jump[#jump + 1] = "if n > 5 then n = n * 2 end" end; jump[#jump + 1] = "end return n"; print(load(table.concat(jump, "\n"))())
-- C levels: gsub in gsub, pcall in pcall, metamethods in metamethods, coroutines in coroutines
local function viagsub(n) return (("x"):gsub("x", function() return viagsub(n + 1) end)) end; local ok; ok, m = pcall(viagsub, 1); print(ok, has(m, "overflow"))
local function viasort(n) table.sort({ 1, 2 }, function() viasort(n + 1) end) end; ok, m = pcall(viasort, 1); print(ok, has(m, "overflow"))
local function viatostring() return tostring(setmetatable({}, { __tostring = viatostring })) end; ok, m = pcall(viatostring); print(ok, has(m, "overflow"))
local mt = {}; mt.__concat = function(a, b) return a .. b end; ok, m = pcall(function() return setmetatable({}, mt) .. "x" end); print(ok, has(m, "overflow", "not enough memory"))
-- plain recursion without end: an error (stack or memory), and the next call works
local function forever(n) return 1 + forever(n + 1) end; ok, m = pcall(forever, 1); print(ok, has(m, "overflow", "not enough memory") ~= m or m == "not enough memory")
collectgarbage(); print(pcall(string.rep, "x", 3)); print(select("#", pcall(table.unpack, {}, 1, 100)), (pcall(table.unpack, {}, 1, 1e8)))
