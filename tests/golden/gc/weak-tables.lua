--- pass
--- 4	nil	nil	42	string	true	true
--- 54
--- 3	kept	str	table
--- 3
--- 20
--- 0
--- 1	true
--- data
--- nil
--- 1	true	nil
--- true	true
--- 1
--- 0
--- 2
--- true	1
--- 2
--- true	true	0
--- 0
--- 1
---
-- Manual 2.5.4: weak tables.
local function count(t) local n = 0; for _ in pairs(t) do n = n + 1 end return n end
local function gc() collectgarbage(); collectgarbage() end
-- weak values
local v = setmetatable({}, { __mode = "v" })
v[1] = {}; v.x = {}; v.f = function() return v end; v.n = 42; v.s = "string"; v.b = true; local keep = {}; v.kept = keep
gc(); print(count(v), v[1], v.x, v.n, v.s, v.b, v.kept == keep)
-- strings and numbers are values, not objects: never removed
for i = 1, 50 do v[i] = "str" .. i end gc(); print(count(v))
-- weak keys
local k = setmetatable({}, { __mode = "k" })
k[{}] = 1; k[keep] = "kept"; k.str = "str"; k[5] = {}; k[function() return k end] = 1; gc(); print(count(k), k[keep], k.str, type(k[5]))
-- ephemerons: a value that refers to its own key does not keep it
do local key = {}; k[key] = { key }; local key2 = {}; k[key2] = function() return key2 end end gc(); print(count(k))
-- chains of ephemerons: each key lives in the value before it
local chain = setmetatable({}, { __mode = "k" }); local first = {}; local cur = first; for i = 1, 20 do local nxt = {}; chain[cur] = nxt; cur = nxt end cur = nil; gc(); print(count(chain)); first = nil; gc(); print(count(chain))
-- both weak
local kv = setmetatable({}, { __mode = "kv" }); kv[1] = {}; kv[{}] = 1; kv[keep] = {}; kv.a = keep; kv[{}] = {}; gc(); print(count(kv), kv.a == keep)
-- a strong value keeps the weak key's table entry only as long as the key lives
do local cache = setmetatable({}, { __mode = "k" }); local o = {}; cache[o] = "data"; gc(); print(cache[o]); o = nil; gc(); print(next(cache)) end
-- the length of a weak list, and traversal while collecting
local list = setmetatable({}, { __mode = "v" }); for i = 1, 100 do list[i] = {} end local hold = list[50]; gc(); print(count(list), list[50] == hold, list[49])
local t = setmetatable({}, { __mode = "k" }); for i = 1, 100 do t[{}] = i end local seen = 0; for key, val in pairs(t) do seen = seen + 1; if seen == 10 then collectgarbage() end end print(seen <= 100, seen >= 10)
-- changing the mode later
local m = {}; local late = setmetatable({}, m); late[1] = {}; gc(); print(count(late)); m.__mode = "v"; setmetatable(late, m); gc(); print(count(late))
-- other letters do nothing
local none = setmetatable({}, { __mode = "x" }); none[1] = {}; none[{}] = 1; gc(); print(count(none))
-- memoizing with weak values, and objects with private data
local made = 0; local memo = setmetatable({}, { __mode = "v" }); local function get(n) local o = memo[n]; if not o then made = made + 1; o = { n = n }; memo[n] = o end return o end
local a = get(1); print(get(1) == a, made); a = nil; gc(); get(1); print(made)
-- resurrected objects: gone from weak values before finalization, from weak keys after it
local res = {}; local wv, wk = setmetatable({}, { __mode = "v" }), setmetatable({}, { __mode = "k" })
do local o = setmetatable({}, { __gc = function(o) res[1] = wv[1] == nil; res[2] = wk[o] ~= nil end }); wv[1] = o; wk[o] = "still" end
gc(); print(res[1], res[2], count(wv)); gc(); print(count(wk))
-- strings as weak keys; threads and functions as values
local ws = setmetatable({}, { __mode = "k" }); ws["long" .. ("x"):rep(100)] = 1; ws[coroutine.create(print)] = 2; gc(); print(count(ws))
