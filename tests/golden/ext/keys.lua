--- pass
--- true set, other set, other true
--- true set, other set, other true
--- true set, other set, other true
--- true set, other set, other true
--- true set, other set, other true
--- true set , other false
--- true set , other false
--- true set , other false
--- true set , other false
--- true set , other false
--- true set , other false
--- true set , other false
--- true set , other false
--- true set , other false
--- true set , other false
--- true set , other false
--- true set , other false
--- true set , other false
--- true set , other false
--- true set , other false
--- true float 0.1, float 9.2233720368548e+18, integer -9223372036854775808, integer 0, integer 1000000000000000, integer 3, integer 9007199254740992, string 3
--- false golden:92: table index is nil
--- false golden:93: table index is nil
--- false golden:94: table index is NaN
--- false golden:95: table index is NaN
--- false golden:96: attempt to index a nil value (field 'x')
--- false golden:97: attempt to index a number value (field 'x')
--- true nil nil nil nil nil nil nil
--- true false golden:99: table index is nil
--- false wrong number of arguments to 'insert'
--- false	golden:103: an external table cannot have a table as key
--- false	golden:103: an external table cannot have a function as key
--- false	golden:103: an external table cannot have a thread as key
--- false	golden:103: an external table cannot have a userdata as key
--- false	golden:103: an external table cannot have a table as key
--- false	golden:103: an external table cannot have a userdata as key
--- 0
--- true nil nil nil 0
--- true 4563812.5 700
---
-- Manual 2.1 and 3.2: keys of an external table are those of a plain one. Each function runs over both, and must do the same.
local count = 0
local function both(f, ...)
  count = count + 1
  local texts = {}
  for i, t in ipairs { {}, ext.table("keys" .. count) } do
    local results = table.pack(pcall(f, t, ...))
    for j = 1, results.n do results[j] = tostring(results[j]) end
    texts[i] = table.concat(results, " ", 1, results.n)
  end
  print(texts[1] == texts[2] and texts[1] or "plain: " .. texts[1] .. " external: " .. texts[2])
end
local function set_and_get(t, k, other)
  t[k] = "set"
  t[other] = (t[other] or "") .. ", other"
  return t[k], t[other], t[k] == t[other]
end

-- A float that equals an integer is that integer.
both(set_and_get, 1, 1.0)
both(set_and_get, 2 ^ 53, 1 << 53)
both(set_and_get, 2.0 ^ 53 + 2, (1 << 53) + 2)
both(set_and_get, -0.0, 0)
both(set_and_get, -2.0 ^ 63, math.mininteger)
-- One that does not stays a float.
both(set_and_get, 2.0 ^ 63, math.maxinteger)
both(set_and_get, 2.0 ^ 63, math.mininteger)
both(set_and_get, 1e308, 1e307)
both(set_and_get, 1.5, 1)
both(set_and_get, 1 / 0, -1 / 0)
both(set_and_get, (1 << 53) + 1, 2.0 ^ 53)
-- Strings and booleans are neither.
both(set_and_get, 1, "1")
both(set_and_get, "1.0", "1")
both(set_and_get, true, "true")
both(set_and_get, false, true)
both(set_and_get, "", "\0")
both(set_and_get, "a\0b", "a\0c")
both(set_and_get, "\xFF\xFE", "\u{FFFD}")
both(set_and_get, ("long"):rep(1000), ("long"):rep(1000) .. "!")
both(set_and_get, "__index", "__proto__")
-- What the key is when it comes out.
both(function(t)
  for _, k in ipairs { 3.0, 2 ^ 53, -0.0, 2 ^ 63, "3", 1e15, 0.1, math.mininteger + 0.0 } do t[k] = true end
  local types = {}
  for k in pairs(t) do types[#types + 1] = (math.type(k) or type(k)) .. " " .. tostring(k) end
  table.sort(types)
  return table.concat(types, ", ")
end)
-- What no table can have as key.
both(function(t) t[nil] = 1 end)
both(function(t) t[nil] = nil end)
both(function(t) t[0 / 0] = 1 end)
both(function(t) t[-(0 / 0)] = nil end)
both(function(t) t.x.y = 1 end)
both(function(t) t.x = 1; t.x.y = 1 end)
both(function(t) return t[nil], t[0 / 0], t[-(0 / 0)], t[print], t[{}], t[coroutine.create(print)], t.none end)
both(function(t) local k; return pcall(function() t[k] = 1 end) end)
both(table.insert)
-- What an external one cannot.
local t = ext.table("t")
for _, k in ipairs { {}, print, coroutine.create(print), io.stdout, t, require("json").null } do print(pcall(function() t[k] = 1 end)) end
print(ext.count(t))
-- Removing, and what was never there.
both(function(t)
  t[1], t.a = 1, 2
  t[1], t.a, t.none = nil, nil, nil
  return t[1], t.a, next(t), #t
end)
-- Keys and values are not mixed up.
both(function(t)
  for i = 1, 300 do t[i], t[tostring(i)], t[i + 0.5] = i, -i, i / 2 end
  for i = 1, 300, 3 do t[i], t[tostring(i + 1)] = nil, nil end
  local sum, n = 0, 0
  for k, v in pairs(t) do sum, n = sum + k * v, n + 1 end
  return sum, n
end)
