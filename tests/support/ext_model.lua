-- External tables and a model of them in plain Lua, side by side: each operation is done on both, and the
-- results are compared. The model rolls a transaction back to a deep copy that was made before it.
--
-- Keeps true: an operation that the store refuses has changed nothing. Collections, and so finalizers, run
-- only where `collect` is called.
local M = { refused = 0, checked = 0 }

collectgarbage("stop")

-- The state that a roll back restores: tables in order of creation, each with its entries in order of
-- insertion.
local state = {}
-- The state that it does not restore: cursors and ids are never used twice.
local places, ids = 0, 0
-- The name of each external table, by its value; and the value, by id.
local name_of, value_of = {}, {}

local function fail(what, expected, found)
  error(("MODEL: %s: expected %s, found %s\n%s"):format(what, tostring(expected), tostring(found), debug.traceback()), 0)
end

local function same(what, expected, found)
  M.checked = M.checked + 1
  if expected ~= found then fail(what, expected, found) end
end

-- True if the error is a refusal of the store. Refusals are counted.
local function refused(e)
  local is = e == "not enough memory" or type(e) == "string" and e:find("injected", 1, true) ~= nil
  if is then M.refused = M.refused + 1 end
  return is
end

-- The text of a value, the same for equal values: numbers with their subtype, tables by contents, external
-- tables by name.
local function show(v)
  if name_of[v] then return "<" .. name_of[v] .. ">" end
  if type(v) == "table" then
    if v.reference then return "<" .. v.reference .. ">" end
    local parts = {}
    for key, value in pairs(v) do parts[#parts + 1] = show(key) .. "=" .. show(value) end
    table.sort(parts)
    return "{" .. table.concat(parts, ",") .. "}"
  end
  if math.type(v) == "float" then return ("%a"):format(v) end
  return type(v) == "string" and ("%q"):format(v) or tostring(v)
end
M.show = show

local function canonical(key)
  return show(math.type(key) == "float" and math.tointeger(key) or key)
end

local function copy(v)
  if type(v) ~= "table" then return v end
  if name_of[v] then return { reference = name_of[v] } end
  local result = {}
  for key, value in pairs(v) do result[key] = copy(value) end
  return result
end

local function saved()
  local result = {}
  for i, t in ipairs(state) do
    result[i] = { id = t.id, name = t.name, entries = {} }
    for j, e in ipairs(t.entries) do result[i].entries[j] = { place = e.place, key = e.key, value = e.value } end
  end
  return result
end

local function table_of(id)
  for i, t in ipairs(state) do if t.id == id then return t, i end end
end

local function table_named(name)
  for i, t in ipairs(state) do if t.name == name then return t, i end end
end

local function entry_of(t, key)
  key = canonical(key)
  for i, e in ipairs(t.entries) do if canonical(e.key) == key then return e, i end end
end

local function model_open(name)
  local t = table_named(name)
  if t == nil then
    ids = ids + 1
    t = { id = ids, name = name, entries = {} }
    state[#state + 1] = t
  end
  return t
end

local function model_set(t, key, value)
  local e, i = entry_of(t, key)
  if value == nil then
    if e then table.remove(t.entries, i) end
  elseif e then
    e.value = copy(value)
  else
    places = places + 1
    key = math.type(key) == "float" and math.tointeger(key) or key
    t.entries[#t.entries + 1] = { place = places, key = key, value = copy(value) }
  end
end

-- Reading a reference opens its table; `found` may be its first appearance.
local function model_read(value, found)
  local name = type(value) == "table" and value.reference
  if name then
    model_open(name)
    if found and not name_of[found] and M.is(name, found) then name_of[found] = name end
  end
  return show(value)
end

-- Opens the table before an operation of several steps reads it, because a later step might be refused.
local function open_references(entries)
  for _, e in ipairs(entries) do
    local name = type(e.value) == "table" and e.value.reference
    if name and not M.open(name) then return false end
  end
  return true
end

-- Runs `real`; where that succeeds, `model` gets its results. A refusal is counted.
local function try(real, model)
  local results = table.pack(pcall(real))
  if results[1] then
    model(table.unpack(results, 2, results.n))
    return true
  end
  if not refused(results[2]) then error(results[2], 0) end
  return false
end

-- Checks that the name gives this value, unless the store refuses.
function M.is(name, proxy)
  local ok, found = pcall(ext.table, name)
  return ok and found == proxy or not ok and refused(found)
end

-- The same for an operation on a table that may have been dropped: then it must fail with that error.
local function on(h, what, real, model)
  local t = table_of(h.id)
  if t then return try(real, function(...) model(t, ...) end) end
  local ok, e = pcall(real)
  if ok or not (tostring(e):find("dropped", 1, true) or refused(e)) then fail(what .. " on a dropped table", "an error", e) end
  return false
end

-- ---- operations ----

-- Makes a handle: the proxy, and its table in the model. Returns nothing if the store refuses.
function M.open(name)
  local h
  try(function() return ext.table(name) end, function(proxy)
    name_of[proxy] = name
    h = { proxy = proxy, id = model_open(name).id }
    value_of[h.id] = value_of[h.id] or proxy
    same("what was dropped and came back is the same value", value_of[h.id], proxy)
    same("one name is one value", true, M.is(name, proxy))
  end)
  return h
end

function M.get(h, key)
  on(h, "get", function() return h.proxy[key] end, function(t, found)
    local e = entry_of(t, key)
    same("the value of " .. show(key), e and model_read(e.value, found) or "nil", show(found))
  end)
end

function M.set(h, key, value)
  on(h, "set", function() h.proxy[key] = value end, function(t) model_set(t, key, value) end)
end

function M.count(h)
  on(h, "count", function() return ext.count(h.proxy) end, function(t, found) same("count", #t.entries, found) end)
end

function M.clear(h)
  on(h, "clear", function() ext.clear(h.proxy) end, function(t) t.entries = {} end)
end

function M.drop(name)
  try(function() return ext.drop(name) end, function(found)
    local t, i = table_named(name)
    same("drop", t ~= nil, found)
    if t then table.remove(state, i) end
  end)
end

function M.names()
  try(ext.tables, function(found)
    local names = {}
    for i, t in ipairs(state) do names[i] = t.name end
    same("names", table.concat(names, " "), table.concat(found, " "))
  end)
end

-- Compares the first entry, as `next` gives it.
function M.first(h)
  on(h, "next", function() return next(h.proxy) end, function(t, key, value)
    local e = t.entries[1]
    same("the first entry", e and show(e.key) .. " " .. model_read(e.value, value) or "nil nil", show(key) .. " " .. show(value))
  end)
end

local function is_border(t, n)
  return (n == 0 or entry_of(t, n) ~= nil) and (n == math.maxinteger or entry_of(t, n + 1) == nil)
end

function M.length(h)
  on(h, "length", function() return #h.proxy end, function(t, n)
    same("a border", true, n >= 0 and is_border(t, n))
  end)
end

function M.append(h, value)
  local n
  if on(h, "length", function() return #h.proxy end, function(_, found) n = found end) then
    on(h, "insert", function() table.insert(h.proxy, value) end, function(t) model_set(t, n + 1, value) end)
  end
end

function M.remove_last(h)
  local n, ready
  if on(h, "length", function() return #h.proxy end, function(t, found)
    n, ready = found, open_references { (entry_of(t, found)) }
  end) and ready then
    on(h, "remove", function() return table.remove(h.proxy) end, function(t, found)
      local e = entry_of(t, n)
      same("what was last", e and model_read(e.value, found) or "nil", show(found))
      model_set(t, n, nil)
    end)
  end
end

-- Compares all entries, in order.
function M.list(h)
  local lines, t = {}, table_of(h.id)
  if t and not open_references(t.entries) then return end
  on(h, "pairs", function()
    for key, value in pairs(h.proxy) do lines[#lines + 1] = show(key) .. "=" .. show(value) end
  end, function(t)
    local expected = {}
    for i, e in ipairs(t.entries) do expected[i] = show(e.key) .. "=" .. model_read(e.value) end
    same("the entries of " .. t.name, table.concat(expected, " "), table.concat(lines, " "))
  end)
end

-- Makes an iterator that is kept across other operations.
function M.iterate(h)
  local step, of, control = pairs(h.proxy)
  return { h = h, step = step, of = of, control = control, place = 0 }
end

-- Does one step of an iterator. Returns false at its end, or after a refusal.
function M.advance(it)
  local went_on = false
  if it.lost then return false end
  -- The iterator may have advanced although the step was refused.
  it.lost = not on(it.h, "a step", function() return it.step(it.of, it.control) end, function(t, key, value)
    local expected
    for _, e in ipairs(t.entries) do
      if e.place > it.place then expected = e break end
    end
    same("the next entry", expected and show(expected.key) .. " " .. model_read(expected.value, value) or "nil nil",
      show(key) .. " " .. show(value))
    if expected then
      it.control, it.place, went_on = key, expected.place, true
    end
  end)
  return went_on
end

-- Runs `body` in a transaction, which may raise `marker` to fail.
function M.transaction(marker, body, ...)
  local before, given = saved(), select("#", ...)
  local results = table.pack(pcall(ext.transaction, function(...)
    same("arguments", given, select("#", ...))
    body(...)
    return nil, "results", nil
  end, ...))
  if results[1] then
    same("results", "4 nil results nil",
      ("%d %s %s %s"):format(results.n, tostring(results[2]), tostring(results[3]), tostring(results[4])))
    return true
  end
  if results[2] ~= marker and not refused(results[2]) then error(results[2], 0) end
  state = before
  return false
end

-- Compares everything with the model. Reading must not create tables, so references are compared by name.
function M.check()
  M.names()
  for _, t in ipairs(saved()) do
    local h = M.open(t.name)
    if h then
      M.count(h)
      M.list(h)
      M.length(h)
    end
  end
  M.names()
end

-- ---- finalizers ----

local collecting, finalized, runs = false, nil, 0

local function arm()
  setmetatable({}, { __gc = function()
    runs = runs + 1
    if collecting and finalized then M.set(finalized, "runs", runs) end
    arm()
  end })
end

-- Finalizers write to a table of their own from here on.
function M.finalizers()
  finalized = M.open("finalized")
  arm()
end

function M.collect()
  collecting = true
  collectgarbage()
  collecting = false
  collectgarbage("stop")
end

-- ---- random programs ----

local NAMES = { "a", "b", "c" }
local KEYS = { 1, 2, 3, 4, 5, 2.0, -1, 0, -0.0, 1.5, 2 ^ 53, 2 ^ 63, 1e308, -1e308, math.maxinteger, math.mininteger, "1", "", "k", "a\0b", true, false }

function M.run(seed, steps)
  math.randomseed(seed)
  local random = math.random
  local handles, iterators, marker = {}, {}, {}
  for _, name in ipairs(NAMES) do handles[#handles + 1] = M.open(name) end
  M.finalizers()

  local function key() return KEYS[random(#KEYS)] end
  local function handle() return handles[random(#handles)] end
  local function value(depth)
    local kind = random(depth > 2 and 5 or 8)
    if kind == 1 then return random(1000) end
    if kind == 2 then return random() end
    if kind == 3 then return ("s"):rep(random(0, 300)) end
    if kind == 4 then return random(2) == 1 end
    if kind == 5 then return random(2) == 1 and -0.0 or 0 / 0 end
    if kind == 6 and depth == 0 then return handle().proxy end
    local t = {}
    for i = 1, random(0, 3) do t[i] = value(depth + 1) end
    t[random(2) == 1 and "n" or 7.5] = value(depth + 1)
    return t
  end

  local step
  local actions = {
    function() M.set(handle(), key(), value(0)) end,
    function() M.set(handle(), key(), value(0)) end,
    function() M.set(handle(), key(), value(0)) end,
    function() M.set(handle(), key(), nil) end,
    function() M.get(handle(), key()) end,
    function() M.append(handle(), value(0)) end,
    function() M.append(handle(), value(0)) end,
    function() M.remove_last(handle()) end,
    function() M.count(handle()) M.length(handle()) end,
    function() M.list(handle()) end,
    function() M.first(handle()) end,
    function() if random(3) == 1 then M.clear(handle()) end end,
    function() if random(3) == 1 then M.drop(NAMES[random(#NAMES)]) end end,
    function()
      local h = M.open(NAMES[random(#NAMES)])
      -- Old handles stay, of tables that are gone or may come back.
      if h and #handles < 8 then handles[#handles + 1] = h elseif h then handles[random(#handles)] = h end
    end,
    function() M.names() end,
    function() iterators[random(4)] = M.iterate(handle()) end,
    function() local it = iterators[random(4)] if it then M.advance(it) end end,
    function() local it = iterators[random(4)] if it then M.advance(it) M.advance(it) end end,
    function() M.collect() end,
    -- Transactions: plain, in a coroutine, with a variable to close, and with errors that are caught inside.
    function(depth)
      if depth > 3 then return end
      M.transaction(marker, function(...)
        for _ = 1, random(0, 8) do step(depth + 1) end
        if random(2) == 1 then error(marker) end
      end, nil, depth, nil)
    end,
    function(depth)
      if depth > 3 then return end
      coroutine.wrap(function()
        M.transaction(marker, function()
          for _ = 1, random(0, 4) do step(depth + 1) end
          coroutine.wrap(function() step(depth + 1) coroutine.yield() step(depth + 1) end)()
          if random(2) == 1 then error(marker) end
        end)
      end)()
    end,
    function(depth)
      if depth > 3 then return end
      M.transaction(marker, function()
        local closing <close> = setmetatable({}, { __close = function() step(depth + 1) end })
        for _ = 1, random(0, 3) do step(depth + 1) end
        local ok, e = pcall(function() step(depth + 1) error(marker) end)
        if e ~= marker then error(e, 0) end
        same("caught inside", false, ok)
        if random(2) == 1 then error(marker) end
      end)
    end,
  }
  function step(depth) actions[random(#actions)](depth) end

  if #handles > 0 then
    for _ = 1, steps do step(0) end
  end
end

return M
