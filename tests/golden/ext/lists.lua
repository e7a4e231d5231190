--- pass
--- true 0
--- true 3
--- true 2
--- true 3
--- true 0
--- true 0
--- true 10 10 nil
--- true true
--- true true
--- true true
--- true true
--- true 1a 2b 3c 4d
--- true nil 1 nil 3 nil nil nil nil nil nil
--- true nil first second a b nil nil nil nil nil
--- true nil 1 2 3 nil nil nil nil nil nil
--- false golden:125: bad argument #2 to 'insert' (position out of bounds)
--- false golden:126: bad argument #2 to 'insert' (position out of bounds)
--- false golden:127: wrong number of arguments to 'insert'
--- false golden:128: wrong number of arguments to 'insert'
--- false golden:129: bad argument #2 to 'insert' (number expected, got string)
--- true 0
--- true 3 1 nil 2 nil nil nil nil nil nil nil nil
--- true nil nil 0
--- true zero nil nil nil nil nil nil nil nil nil nil
--- true nil 2 nil 1 nil nil nil nil nil nil nil nil
--- false golden:136: bad argument #2 to 'remove' (position out of bounds)
--- false golden:137: bad argument #2 to 'remove' (position out of bounds)
--- true 1b2.5 1-b-2.5 b, 2.5 
--- false golden:140: invalid value (nil) at index 3 in table for 'concat'
--- false golden:141: invalid value (table) at index 2 in table for 'concat'
--- false golden:142: invalid value (boolean) at index 1 in table for 'concat'
--- true  0
--- true 3 1 nil 3 nil
--- true 1 2 3
--- true 2 3
--- true nil nil nil
--- true 0 false too many results to unpack
--- true last
--- true nil 1 2 3 4 5 nil nil nil nil
--- true nil c b a nil nil nil nil nil nil
--- true 200
--- false attempt to compare string with number
--- false golden:156: invalid order function for sorting
--- false compared
--- true
--- true true nil 1 1 2 3 nil nil nil nil nil
--- true nil 2 3 3 nil nil nil nil nil nil
--- true nil nil nil nil 1 nil 3 nil nil nil nil 1 7 nil 9 nil nil nil nil nil
--- true true nil nil nil nil nil nil nil nil nil nil
--- false golden:164: bad argument #4 to 'move' (destination wrap around)
--- false golden:165: bad argument #3 to 'move' (too many elements to move)
--- false golden:166: bad argument #5 to 'move' (table expected, got number)
--- true 3 3 0
--- true 17 50 17 50
--- true 27.0 3 3
---
-- Manual 3.4.7 and 6.6: external tables as lists. Each function runs over a plain table and an external one, and must do the same.
local count = 0
local function both(f, ...)
  count = count + 1
  local texts = {}
  for i, t in ipairs { {}, ext.table("list" .. count) } do
    local results = table.pack(pcall(f, t, ...))
    for j = 1, results.n do results[j] = tostring(results[j]):gsub("ext%.table", "table") end
    texts[i] = table.concat(results, " ", 1, results.n)
  end
  print(texts[1] == texts[2] and texts[1] or "plain: " .. texts[1] .. " external: " .. texts[2])
end
local function fill(t, ...)
  for i = 1, select("#", ...) do t[i] = (select(i, ...)) end
  return t
end
local function text(t)
  local parts = {}
  for i = 0, 9 do parts[#parts + 1] = tostring(t[i]) end
  return table.concat(parts, " ")
end

-- Length.
both(function(t) return #t end)
both(function(t) fill(t, 1, 2, 3) return #t end)
both(function(t) fill(t, 1, 2, 3) t[3] = nil return #t end)
both(function(t) fill(t, 1, 2, 3) t[0], t[-1], t.x, t["4"], t[4.5], t[2 ^ 53] = 1, 1, 1, 1, 1, 1 return #t end)
both(function(t) t[math.maxinteger] = 1 return #t end)
both(function(t) t[math.mininteger], t[-1], t[0] = 1, 1, 1 return #t end)
both(function(t) for i = 1, 1000 do t[#t + 1] = i end for _ = 1, 990 do t[#t] = nil end return #t, t[10], t[11] end)
-- With holes it is one of the borders.
local function is_border(t)
  local n = #t
  return n >= 0 and (n == 0 or t[n] ~= nil) and (n == math.maxinteger or t[n + 1] == nil)
end
both(function(t) t[1], t[2], t[4], t[8] = 1, 1, 1, 1 return is_border(t) end)
both(function(t) t[2] = 1 return is_border(t) end)
both(function(t)
  for i = 0, 62 do t[(1 << i) - 1], t[1 << i] = 1, 1 end
  t[math.maxinteger] = 1
  return is_border(t)
end)
both(function(t)
  local seed = 1
  for _ = 1, 500 do
    seed = seed * 1103515245 + 12345 & 0x7FFFFFFF
    t[seed >> 8 & 31] = seed & 3 > 0 and seed or nil
    if not is_border(t) then return false end
  end
  return true
end)

-- ipairs stops at the first nil, and sees what is written ahead.
both(function(t)
  fill(t, "a", "b", nil, "d")
  local seen = {}
  for i, v in ipairs(t) do
    seen[#seen + 1] = i .. v
    if i == 2 then t[3] = "c" end
  end
  return table.concat(seen, " ")
end)
both(function(t) fill(t, 1, 2, 3) for i in ipairs(t) do t[i + 1] = nil end return text(t) end)

-- insert
both(function(t) table.insert(t, "a") table.insert(t, "b") table.insert(t, 1, "first") table.insert(t, 2, "second") return text(t) end)
both(function(t) fill(t, 1, 2) table.insert(t, 3, 3) return text(t) end)
both(function(t) fill(t, 1, 2) table.insert(t, 4, 3) end)
both(function(t) fill(t, 1, 2) table.insert(t, 0, 3) end)
both(function(t) table.insert(t) end)
both(function(t) table.insert(t, 1, 2, 3) end)
both(function(t) table.insert(t, "x", 2) end)
both(function(t) table.insert(t, nil) return #t end)
-- remove
both(function(t) fill(t, 1, 2, 3) return table.remove(t), table.remove(t, 1), text(t) end)
both(function(t) return table.remove(t), table.remove(t, 0), #t end)
both(function(t) t[0] = "zero" return table.remove(t, 0), text(t) end)
both(function(t) fill(t, 1, 2) return table.remove(t, 3), table.remove(t, 2), text(t) end)
both(function(t) fill(t, 1, 2) return table.remove(t, 5) end)
both(function(t) fill(t, 1, 2) return table.remove(t, -1) end)
-- concat
both(function(t) fill(t, 1, "b", 2.5) return table.concat(t), table.concat(t, "-"), table.concat(t, ", ", 2), table.concat(t, "", 3, 2) end)
both(function(t) fill(t, 1, 2) return table.concat(t, "", 1, 3) end)
both(function(t) fill(t, 1, {}) return table.concat(t) end)
both(function(t) fill(t, true) return table.concat(t) end)
both(function(t) return table.concat(t), #table.concat(t, ",") end)
-- unpack
both(function(t) fill(t, 1, nil, 3) return select("#", table.unpack(t, 1, 3)), table.unpack(t, 1, 4) end)
both(function(t) fill(t, 1, 2, 3) return table.unpack(t) end)
both(function(t) fill(t, 1, 2, 3) return table.unpack(t, 2) end)
both(function(t) return table.unpack(t, -1, 1) end)
both(function(t) return select("#", table.unpack(t, 2, 1)), pcall(table.unpack, t, 1, 1e8) end)
both(function(t) t[math.maxinteger] = "last" return table.unpack(t, math.maxinteger, math.maxinteger) end)
-- sort
both(function(t) fill(t, 3, 1, 2, 5, 4) table.sort(t) return text(t) end)
both(function(t) fill(t, "b", "a", "c") table.sort(t, function(a, b) return a > b end) return text(t) end)
both(function(t) for i = 1, 200 do t[i] = i * 7919 % 200 end table.sort(t) for i = 1, 200 do assert(t[i] == i - 1) end return #t end)
both(function(t) fill(t, 1, "x") table.sort(t) end)
both(function(t) fill(t, 1, 2, 3, 4) table.sort(t, function() return true end) end)
both(function(t) fill(t, 2, 1) table.sort(t, function() error("compared", 0) end) end)
both(function(t) table.sort(t, 1) end)
-- move, within one table and to another
both(function(t) fill(t, 1, 2, 3) return table.move(t, 1, 3, 2) == t, text(t) end)
both(function(t) fill(t, 1, 2, 3) table.move(t, 2, 3, 1) return text(t) end)
both(function(t) fill(t, 1, nil, 3) return text(table.move(t, 1, 3, 4, {})), text(table.move({ 7, nil, 9 }, 1, 3, 2, t)) end)
both(function(t) return table.move(t, 1, 0, 5) == t, text(t) end)
both(function(t) table.move(t, 1, math.maxinteger, 2) end)
both(function(t) table.move(t, -1, math.maxinteger, 2) end)
both(function(t) table.move(t, 1, 2, 3, 4) end)
-- pack makes a plain table, which can be stored; select and varargs see values.
both(function(t) t.packed = table.pack(1, nil, 3) return t.packed.n, t.packed[3], #t end)
-- as structures: a queue, a stack, a matrix whose rows are written back
both(function(t)
  local first, last = 1, 0
  for i = 1, 50 do
    last = last + 1
    t[last] = i
    if i % 3 == 0 then t[first], first = nil, first + 1 end
  end
  return first, last, t[first], t[last]
end)
both(function(t)
  for i = 1, 3 do t[i] = { i, i * i } end
  for i, row in ipairs(t) do row[3] = i ^ 3 t[i] = row end
  return t[3][3], #t, #t[1]
end)
