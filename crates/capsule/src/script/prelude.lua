-- What scripts see of the capsule, over the functions of natives.rs. Returns a table of functions for Rust.

local native, globals = _capsule, _G
_capsule, host._capsule = nil, nil
json, base64 = require("json"), require("base64")
local encode = json.encode
local error, getmetatable, ipairs, load, next = error, getmetatable, ipairs, load, next
local pairs, pcall, rawget, xpcall = pairs, pcall, rawget, xpcall
local select, setmetatable, tonumber, tostring, type = select, setmetatable, tonumber, tostring, type
local gmatch, gsub, match, sub = string.gmatch, string.gsub, string.match, string.sub
local insert, pack, remove, sort, unpack = table.insert, table.pack, table.remove, table.sort, table.unpack

-- Errors --------------------------------------------------------------------------------------------------------

local Error = { __name = "CapsuleError" }
function Error.__tostring(e)
  return tostring(rawget(e, "message"))
end

-- Calls between an error and the line of a program that is its place, at most.
local PLACE_LEVELS_MAX = 30

-- The chunk and the line that run: of the innermost function with lines, which those of this file do not have.
local function place()
  for level = 3, PLACE_LEVELS_MAX do
    local _, text = pcall(error, "", level)
    local chunk, line = match(text, "^(.*):(%d+): $")
    if chunk then
      return chunk, tonumber(line)
    end
  end
end

local function error_at(chunk, line, kind, code, message, sql, cause)
  local fields = { kind = kind, code = code, message = message, sql = sql, cause = cause, chunk = chunk, line = line }
  return setmetatable(fields, Error)
end

-- `chunk` and `line`: the place of the cause, if that has one.
local function make_error(kind, code, message, sql, cause, chunk, line)
  if not chunk then
    chunk, line = place()
  end
  return error_at(chunk, line, kind, code, message, sql, cause)
end

local function usage(message)
  error(make_error("usage", nil, message), 0)
end

local function veto(message)
  error(make_error("veto", nil, message), 0)
end

local function is_error(problem)
  return type(problem) == "table" and getmetatable(problem) == Error
end

-- The place of the last error that `placed` has caught.
local last_chunk, last_line

local function note_place(problem)
  if is_error(problem) and rawget(problem, "chunk") then
    last_chunk, last_line = rawget(problem, "chunk"), rawget(problem, "line")
  else
    last_chunk, last_line = place()
  end
  return problem
end

-- Calls like pcall, and notes where an error was raised.
local function placed(fn, ...)
  last_chunk, last_line = nil, nil
  return xpcall(fn, note_place, ...)
end

-- Calls a hook that changes or refuses a row; what it raises is the cause of a veto. An error of the capsule stays what
-- it is.
local function asked(fn, ...)
  local ok, result = placed(fn, ...)
  if ok then
    return result
  end
  if is_error(result) then
    error(result, 0)
  end
  error(error_at(last_chunk, last_line, "veto", nil, tostring(result), nil, result), 0)
end

-- Calls a function that nobody waits for; its error goes to who listens for errors. A transaction that it leaves open
-- is taken back. Limits are not caught.
local function guarded(what, fn, ...)
  local depth = native.depth()
  local ok, problem = placed(fn, ...)
  local chunk, line = last_chunk, last_line
  local left_open = native.cut(depth)
  if not ok then
    native.report(what .. ": " .. tostring(problem), tostring(problem), chunk, line)
  elseif left_open then
    native.report(what .. " has left a transaction open, which is taken back")
  end
  return ok
end

-- Mods ----------------------------------------------------------------------------------------------------------

-- The active ones, in the order in which they were installed: { owner, env, installed }. The globals come before them.
local mods = {}

-- Owners of watchers, timers and handlers by their names, each { name, gone }. The globals are "".
local owners = {}

local timers, handlers, watching = {}, {}, {}

-- Refuses to add something to a mod that is not active any more.
local function check_owner(owner)
  if owner.gone then
    usage("the mod " .. owner.name .. " is not active")
  end
end

local function hook_of(env, name)
  local fn = rawget(env, name)
  if type(fn) == "function" then
    return fn
  end
end

-- True if anybody has this hook. Asked for every row that is written, so it calls little.
local function has(name)
  local fn = rawget(globals, name)
  if fn ~= nil and type(fn) == "function" then
    return true
  end
  for i = 1, #mods do
    if hook_of(mods[i].env, name) then
      return true
    end
  end
  return false
end

-- Hooks that Rust wants to know of, by the bits of their places: hooks.rs has the same.
local HOOKS = {
  "validate_insert", "validate_update", "validate_delete", "after_save", "before_commit",
  "before_save", "before_insert", "before_update", "before_delete",
}

-- The hooks that anybody has, as bits. Asked after each call of a script, so it calls little.
local function present()
  local bits = 0
  for i = 1, #HOOKS do
    local name = HOOKS[i]
    local fn = rawget(globals, name)
    if fn ~= nil and type(fn) == "function" then
      bits = bits | 1 << i - 1
    end
  end
  for i = 1, #mods do
    local env = mods[i].env
    for k = 1, #HOOKS do
      if hook_of(env, HOOKS[k]) then
        bits = bits | 1 << k - 1
      end
    end
  end
  return bits
end

-- Goes through the functions of a hook, in order: those that are there when it begins, without mods that are taken out
-- meanwhile.
local function hooks(name)
  local found, from = {}, {}
  local fn = hook_of(globals, name)
  if fn then
    found[1], from[1] = fn, owners[""]
  end
  for _, mod in ipairs(mods) do
    fn = hook_of(mod.env, name)
    if fn then
      found[#found + 1], from[#from + 1] = fn, mod.owner
    end
  end
  local at = 0
  return function()
    repeat
      at = at + 1
    until not found[at] or not from[at].gone
    return found[at]
  end
end

-- Values --------------------------------------------------------------------------------------------------------

-- A value for SQL: a table is JSON.
local function value(v)
  if type(v) == "table" then
    return encode(v)
  end
  return v
end

-- The parameters of a statement, from the arguments of a call: values, one list, or one table of names. Returns the
-- names, or nil and the values.
local function parameters(...)
  local n = select("#", ...)
  if n == 0 then
    return nil
  end
  local first = ...
  if n == 1 and type(first) == "table" then
    if first[1] == nil and next(first) ~= nil and type(next(first)) == "string" and first.n == nil then
      local named = {}
      for name, v in pairs(first) do
        if type(name) ~= "string" then
          usage("parameters are a list or have names, not both")
        end
        named[name] = value(v)
      end
      return named
    end
    local list, count = {}, first.n or #first
    for i = 1, count do
      list[i] = value(first[i])
    end
    return nil, unpack(list, 1, count)
  end
  local list = { ... }
  for i = 1, n do
    list[i] = value(list[i])
  end
  return nil, unpack(list, 1, n)
end

-- The columns of a row.
local function columns(row)
  if type(row) ~= "table" then
    usage("a row is a table of columns and values, not a " .. type(row))
  end
  local copy = {}
  for name, v in pairs(row) do
    if type(name) ~= "string" then
      usage("a row has a key that is no name of a column: " .. tostring(name))
    end
    copy[name] = value(v)
  end
  return copy
end

local function copy_of(row)
  local copy = {}
  for name, v in pairs(row) do
    copy[name] = v
  end
  return copy
end

-- The values of a key: one, or a list.
local function key(id)
  if type(id) == "table" then
    return unpack(id, 1, id.n or #id)
  end
  return id
end

-- What an insert returns: a key of one column is its value.
local function key_result(...)
  if select("#", ...) == 1 then
    return (...)
  end
  return { ... }
end

-- Transactions --------------------------------------------------------------------------------------------------

-- Calls a function that cannot yield: what comes in between would be part of the transaction.
local function unyielding(fn, ...)
  local results
  local arguments = pack(...)
  gsub("x", "x", function()
    results = pack(pcall(fn, unpack(arguments, 1, arguments.n)))
  end)
  return results
end

local function transaction(fn, ...)
  if type(fn) ~= "function" then
    usage("transaction wants a function, not a " .. type(fn))
  end
  native.begin()
  local results = unyielding(fn, ...)
  if not results[1] then
    native.rollback()
    error(results[2], 0)
  end
  native.commit()
  return unpack(results, 2, results.n)
end

-- Transforms ----------------------------------------------------------------------------------------------------

local TRANSFORMS = {
  insert = { "before_save", "before_insert" },
  update = { "before_save", "before_update" },
}

-- The row after all transforms of an operation. `old` is the row that is updated, if it is one.
local function transform(operation, name, row, old)
  for _, hook in ipairs(TRANSFORMS[operation]) do
    for fn in hooks(hook) do
      local changed = asked(fn, name, copy_of(row), old)
      if changed == false then
        veto(hook .. " has refused a row of " .. name)
      elseif type(changed) == "table" then
        row = changed
      elseif changed ~= nil then
        veto(hook .. " returns a row, or nil, not a " .. type(changed))
      end
    end
  end
  return row
end

local function before_delete(name, rows)
  for _, row in ipairs(rows) do
    for fn in hooks("before_delete") do
      if asked(fn, name, copy_of(row)) == false then
        veto("before_delete has refused to delete a row of " .. name)
      end
    end
  end
end

-- Calls a function that writes, and tells it which hooks there are: when its arguments have been made, which may have
-- called metamethods.
local function write(fn, ...)
  return fn(present(), ...)
end

local function insert_row(name, row)
  if has("before_save") or has("before_insert") then
    return transaction(function()
      return write(native.insert, name, columns(transform("insert", name, columns(row), nil)))
    end)
  end
  return write(native.insert, name, columns(row))
end

local function update_row(name, id, row)
  if has("before_save") or has("before_update") then
    return transaction(function()
      local old = native.get(name, key(id))
      if old == nil then
        return false
      end
      row = transform("update", name, columns(row), old)
      return write(native.update, name, columns(row), key(id))
    end)
  end
  return write(native.update, name, columns(row), key(id))
end

local function update_where(name, where, params, row)
  if has("before_save") or has("before_update") then
    return transaction(function()
      row = transform("update", name, columns(row), nil)
      return write(native.update_where, name, where, columns(row), parameters(params))
    end)
  end
  return write(native.update_where, name, where, columns(row), parameters(params))
end

local function delete_row(name, id)
  if has("before_delete") then
    return transaction(function()
      before_delete(name, { native.get(name, key(id)) })
      return write(native.delete, name, key(id))
    end)
  end
  return write(native.delete, name, key(id))
end

local function delete_where(name, where, params)
  if has("before_delete") then
    return transaction(function()
      before_delete(name, native.select(name, where, parameters(params)))
      return write(native.delete_where, name, where, parameters(params))
    end)
  end
  return write(native.delete_where, name, where, parameters(params))
end

-- Rules ---------------------------------------------------------------------------------------------------------

-- Returns what the hook says of a row, and the hooks that there are then.
local function validate(hook, name, row, old)
  local refused = false
  if #mods == 0 then
    local fn = hook_of(globals, hook)
    refused = fn and fn(name, row, old) == false
  else
    for fn in hooks(hook) do
      refused = refused or fn(name, row, old) == false
    end
  end
  if refused then
    veto(hook .. " has refused a row of " .. name)
  end
  return present()
end

local function round(events)
  for fn in hooks("after_save") do
    for _, event in ipairs(events) do
      if event.operation ~= "DELETE" then
        fn(event.table_name, event.new_data)
      end
    end
  end
  for fn in hooks("before_commit") do
    if fn(events) == false then
      veto("before_commit has refused the transaction")
    end
  end
end

-- Time ----------------------------------------------------------------------------------------------------------

local UNITS = { ms = 1, s = 1000, m = 60000, h = 3600000, d = 86400000 }
local SHORTEST = 10

local function milliseconds(duration, what)
  local ms
  if type(duration) == "number" then
    ms = duration
  elseif type(duration) == "string" then
    local number, unit = match(duration, "^%s*(%d+%.?%d*)%s*(%a+)%s*$")
    ms = number and UNITS[unit] and tonumber(number) * UNITS[unit]
  end
  if not ms or ms ~= ms or ms < SHORTEST or ms > 2 ^ 53 then
    usage(what .. " is a number of milliseconds or a text like \"10s\", \"5m\", \"1.5h\", \"1d\" or \"250ms\", at least "
      .. SHORTEST .. " ms; not " .. tostring(duration))
  end
  return ms // 1 | 0
end

local last_timer = 0

local function add_timer(owner, due, every, fn)
  check_owner(owner)
  if type(fn) ~= "function" then
    usage("a timer wants a function, not a " .. type(fn))
  end
  last_timer = last_timer + 1
  timers[last_timer] = { owner = owner, due = due, every = every, fn = fn }
  return last_timer
end

-- Takes the timers of an owner away. The others are put into a new table: one that was large stays slow to go through.
local function stop_timers(owner)
  local kept = {}
  for id, timer in pairs(timers) do
    if timer.owner ~= owner then
      kept[id] = timer
    end
  end
  timers = kept
end

local function next_due()
  local first
  for _, timer in pairs(timers) do
    if not first or timer.due < first then
      first = timer.due
    end
  end
  return first
end

-- Runs the timers that are due, each once, in the order of their time. A recurring one that is late does not catch up.
local function run_timers(now)
  local due = {}
  for id, timer in pairs(timers) do
    if timer.due <= now then
      due[#due + 1] = id
    end
  end
  sort(due, function(a, b)
    local first, second = timers[a].due, timers[b].due
    if first == second then
      return a < b
    end
    return first < second
  end)
  for _, id in ipairs(due) do
    local timer = timers[id]
    if timer then
      if timer.every then
        timer.due = timer.due + timer.every
        if timer.due <= now then
          timer.due = now + timer.every
        end
      else
        timers[id] = nil
      end
      guarded("a timer", timer.fn)
    end
  end
end

-- Actions -------------------------------------------------------------------------------------------------------

local function handle(name, payload)
  local first
  local list = handlers[name]
  if list then
    for _, handler in ipairs(copy_of(list)) do
      if not handler.owner.gone then
        local result = handler.fn(payload)
        if first == nil then
          first = result
        end
      end
    end
  end
  return first
end

local function check_name(name)
  if type(name) ~= "string" or name == "" then
    usage("the name of an action is a text, not " .. tostring(name))
  end
end

-- Libraries -----------------------------------------------------------------------------------------------------

-- Takes away all that an owner has.
local function forget(owner)
  owner.gone = true
  owners[owner.name] = nil
  for i = #mods, 1, -1 do
    if mods[i].owner == owner then
      remove(mods, i)
    end
  end
  stop_timers(owner)
  for id, watcher in pairs(copy_of(watching)) do
    if watcher.owner == owner then
      watching[id] = nil
      native.unwatch(id)
    end
  end
  for name, list in pairs(handlers) do
    local kept = {}
    for _, handler in ipairs(list) do
      if handler.owner ~= owner then
        insert(kept, handler)
      end
    end
    handlers[name] = #kept > 0 and kept or nil
  end
end

-- The libraries of a new owner.
local function libraries(name)
  local owner, cached = { name = name }, {}
  owners[name] = owner
  local L = {}

  L.glyphcase = {
    query = function(sql, ...)
      return native.query(sql, parameters(...))
    end,
    queryOne = function(sql, ...)
      return native.query_one(sql, parameters(...))
    end,
    queryScalar = function(sql, ...)
      return native.query_scalar(sql, parameters(...))
    end,
    execute = function(sql, ...)
      return write(native.execute, sql, parameters(...))
    end,
    insert = function(name, row)
      return key_result(insert_row(name, row))
    end,
    insertMultiple = function(name, rows)
      if type(rows) ~= "table" then
        usage("insertMultiple wants a list of rows, not a " .. type(rows))
      end
      return transaction(function()
        local keys = {}
        for i = 1, #rows do
          keys[i] = key_result(insert_row(name, rows[i]))
        end
        return keys
      end)
    end,
    update = update_row,
    updateWhere = update_where,
    delete = delete_row,
    deleteWhere = delete_where,
    transaction = transaction,
    dispatch = function(name, payload)
      check_name(name)
      native.dispatch(name, payload, true)
    end,
    watch = function(target, filter, fn)
      if fn == nil then
        filter, fn = nil, filter
      end
      if type(fn) ~= "function" then
        usage("watch wants a function, not a " .. type(fn))
      end
      check_owner(owner)
      local id = native.watch(target, filter, owner.name)
      watching[id] = { owner = owner, fn = fn }
      return id
    end,
    unwatch = function(id)
      local watcher = watching[id]
      if watcher and watcher.owner == owner then
        watching[id] = nil
        return native.unwatch(id)
      end
      return false
    end,
    unwatch_all = function()
      for id, watcher in pairs(copy_of(watching)) do
        if watcher.owner == owner then
          watching[id] = nil
          native.unwatch(id)
        end
      end
    end,
  }

  L.actionbus = {
    register = function(name, fn)
      check_name(name)
      if type(fn) ~= "function" then
        usage("register wants a function, not a " .. type(fn))
      end
      check_owner(owner)
      local list = handlers[name] or {}
      handlers[name] = list
      insert(list, { owner = owner, fn = fn })
    end,
    dispatch = function(name, payload)
      check_name(name)
      local result = handle(name, payload)
      native.dispatch(name, payload, false)
      return result
    end,
  }

  L.crypto = { uuid = native.uuid, bcrypt = native.bcrypt, verify = native.verify }

  L.scheduler = {
    every = function(duration, fn)
      local every = milliseconds(duration, "an interval")
      return add_timer(owner, native.now() + every, every, fn)
    end,
    after = function(duration, fn)
      return add_timer(owner, native.now() + milliseconds(duration, "a delay"), nil, fn)
    end,
    cancel = function(id)
      local timer = timers[id]
      if timer and timer.owner == owner then
        timers[id] = nil
        return true
      end
      return false
    end,
    stop_all = function()
      stop_timers(owner)
    end,
  }

  local function find(name)
    local entry = cached[name]
    if entry and entry.ends and entry.ends <= native.now() then
      cached[name] = nil
      return nil
    end
    return entry
  end

  L.cache = {
    set = function(name, v, ttl)
      if name == nil or name ~= name then
        usage("the name of a cached value is " .. tostring(name))
      end
      local ends = ttl ~= nil and native.now() + milliseconds(ttl, "the time of a cached value") or nil
      check_owner(owner)
      cached[name] = v ~= nil and { value = v, ends = ends } or nil
    end,
    get = function(name)
      local entry = find(name)
      return entry and entry.value
    end,
    delete = function(name)
      local there = find(name) ~= nil
      cached[name] = nil
      return there
    end,
    clear = function()
      cached = {}
    end,
  }
  function owner.clear()
    cached = {}
  end
  return L, owner
end

for name, library in pairs((libraries(""))) do
  globals[name] = library
end

-- Programs of mods ----------------------------------------------------------------------------------------------

-- The functions of the files of a mod, compiled before any of them runs.
local function compiled(name, compile, ...)
  local functions, files = {}, { ... }
  for i = 1, #files, 2 do
    local chunk = name .. "/" .. files[i]
    local fn, problem = compile(files[i + 1], "@" .. chunk, "t")
    if not fn then
      local is_named = sub(problem, 1, #chunk) == chunk
      local line = is_named and tonumber(match(problem, "^:(%d+):", #chunk + 1)) or nil
      local failure = error_at(line and chunk, line, "lua", nil, problem)
      failure.syntax = line ~= nil
      error(failure, 0)
    end
    insert(functions, fn)
  end
  return functions
end

local function call_hook(env, name)
  local fn = hook_of(env, name)
  if fn then
    fn()
  end
end

-- Runs the files of a mod, on_install if it is new, and on_activate. Its other hooks take part from on_activate on.
local function start_mod(first, installed, environment, name, ...)
  local env, compile = environment()
  local own, owner = libraries(name)
  for library, functions in pairs(own) do
    env[library] = functions
  end
  env.json, env.base64 = copy_of(globals.json), copy_of(globals.base64)
  for _, fn in ipairs(compiled(name, compile, ...)) do
    fn()
  end
  if first then
    call_hook(env, "on_install")
  end
  local at = #mods + 1
  while at > 1 and mods[at - 1].installed > installed do
    at = at - 1
  end
  insert(mods, at, { owner = owner, env = env, installed = installed })
  call_hook(env, "on_activate")
end

local function mod_of(name)
  for _, mod in ipairs(mods) do
    if mod.owner.name == name then
      return mod
    end
  end
end

local function call_mod(name, path, ...)
  local mod = mod_of(name)
  if not mod then
    usage("no mod of the name " .. name .. " is active")
  end
  local fn = mod.env
  for part in gmatch(path, "[^.]+") do
    fn = type(fn) == "table" and rawget(fn, part) or nil
  end
  if type(fn) ~= "function" then
    usage("the mod " .. name .. " has no function " .. path)
  end
  return fn(...)
end

-- Functions for Rust --------------------------------------------------------------------------------------------

return {
  make_error = make_error,
  present = present,
  validate = validate,
  round = round,
  insert = function(name, row)
    return insert_row(name, row)
  end,
  update = function(name, row, ...)
    return update_row(name, { n = select("#", ...), ... }, row)
  end,
  update_where = update_where,
  delete = function(name, ...)
    return delete_row(name, { n = select("#", ...), ... })
  end,
  delete_where = delete_where,
  handle = function(name, payload)
    guarded("the action " .. name, handle, name, payload)
  end,
  next_due = next_due,
  run_timers = run_timers,
  deliver = function(id, events)
    local watcher = watching[id]
    if watcher then
      guarded("a watcher", watcher.fn, events)
    end
  end,
  unwatched = function(id)
    watching[id] = nil
  end,
  check_mod = function(name, ...)
    compiled(name, load, ...)
  end,
  start_mod = start_mod,
  leave_mod = function(name)
    local mod = mod_of(name)
    if mod then
      call_hook(mod.env, "on_deactivate")
    end
  end,
  forget_mod = function(name)
    local owner = owners[name]
    if owner then
      owner.clear()
      forget(owner)
    end
  end,
  call_mod = call_mod,
  reacts = function()
    return has("on_data_changed")
  end,
  react = function(rows)
    for fn in hooks("on_data_changed") do
      for _, row in ipairs(rows) do
        fn(row[1], row[2], copy_of(row[3]))
      end
    end
  end,
}
