-- What is easier said in Lua, because Lua code can be suspended anywhere: require, and async. Runs once, before any script;
-- what it uses is local, so that no script can change it under its hands.
local package, builtin, find, run, sleep, task, may_wait, unset, module_text, note_module, compile_environments,
  open_math = ...
local error, load, pcall, select, setmetatable, tostring, type = error, load, pcall, select, setmetatable, tostring, type
local concat, pack, remove, unpack = table.concat, table.pack, table.remove, table.unpack
local format, math_type, maxinteger, rawget = string.format, math.type, math.maxinteger, rawget

local function bad_argument(n, name, expected, got)
  error(format("bad argument #%d to '%s' (%s expected, got %s)", n, name, expected, got), 3)
end

-- ---- modules ----

-- What tasks wait for, by their numbers, so that circles are seen: the names that each is loading, in order; the name that it waits
-- for, with the owners of names there; and the tasks that it runs side by side, by their places.
local chains, waits, groups = {}, {}, {}

-- Takes an entry out of a table when the variable that holds it is closed, whatever has failed. It is no function of Lua: when the
-- call is ended from outside, such a one ends before its first step.
local entry = { __close = unset }

-- The modules on the way from `task`, of which `name` is wanted, to the task `me`, if all who are on it can go on only after `me`;
-- else nil. Somebody whom we meet again is left to what the others say.
local function circle(task, name, me, met)
  local chain = chains[task] or {}
  local from = 1
  for i = 1, #chain do
    if chain[i] == name then from = i end
  end
  local names = concat(chain, " -> ", from)
  if task == me then return names end
  if met[task] ~= nil then return met[task] and names or nil end
  met[task] = true
  local rest
  local wait, group = waits[task], groups[task]
  if wait then
    local owner = wait.loading[wait.name]
    rest = owner and circle(owner, wait.name, me, met)
  elseif group then
    for i = 1, group.count do
      rest = group[i] and circle(group[i], nil, me, met)
      -- Where all have to end, one that cannot is enough.
      if (rest ~= nil) == group.needs_all then break end
    end
  end
  if not rest then
    met[task] = false
    return nil
  end
  return names .. (names ~= "" and rest ~= "" and " -> " or "") .. rest
end

-- Each set of loaded modules has its own: the globals' one, and one for each environment. `load` decides where a module of the host
-- has its variables.
local function make_require(package, loaded, load)
  -- Names that are being loaded, each with the task that does it.
  local loading = {}

  -- What a name that is being loaded means for the next one who wants it.
  local function wait_for(name, me)
    local names = circle(loading[name], name, me, {})
    if names then
      error(format("module '%s' requires itself: %s -> %s", name, names, name), 3)
    elseif not may_wait() then
      error(format("module '%s' is being loaded by a call that waits", name), 3)
    end
    local _ <close> = setmetatable({ waits, me }, entry)
    waits[me] = { loading = loading, name = name }
    repeat sleep(1) until not loading[name]
  end

  local function find_loader(name)
    local searchers = package.searchers
    if type(searchers) ~= "table" then error("'package.searchers' must be a table", 4) end
    local messages = {}
    for i = 1, maxinteger do
      local searcher = rawget(searchers, i)
      if searcher == nil then break end
      local loader, data = searcher(name)
      if type(loader) == "function" then return loader, data end
      if type(loader) == "string" or type(loader) == "number" then messages[#messages + 1] = "\n\t" .. loader end
    end
    error(format("module '%s' not found:%s", name, concat(messages)), 4)
  end

  -- Finds and calls the loader while the name counts as being loaded. Whatever fails, also for want of memory: afterwards it does
  -- not.
  local function run_loader(name, owner)
    local chain = chains[owner] or {}
    local _ <close> = setmetatable({ loading, name }, entry)
    local _ <close> = setmetatable({}, { __close = function()
      -- Coroutines of one task may load by turns.
      for i = #chain, 1, -1 do
        if chain[i] == name then
          remove(chain, i)
          break
        end
      end
      if #chain == 0 then chains[owner] = nil end
    end })
    chains[owner] = chain
    chain[#chain + 1] = name
    loading[name] = owner
    local loader, data = find_loader(name)
    return loader(name, data), data
  end

  local function require(...)
    local name = ...
    if type(name) == "number" then name = tostring(name) end
    if type(name) ~= "string" then
      bad_argument(1, "require", "string", select("#", ...) == 0 and "no value" or type(name))
    end
    local value = loaded[name]
    if value then return value end
    local owner = task()
    if loading[name] then
      wait_for(name, owner)
      return require(name)
    end
    local data
    value, data = run_loader(name, owner)
    if value ~= nil then loaded[name] = value end
    if loaded[name] == nil then loaded[name] = true end
    return loaded[name], data
  end

  local function search_host(name)
    local source, chunk = find(name)
    if source == nil then return format("no module '%s' of the host", name) end
    local loader, message = load(module_text(source), "=" .. chunk, "t")
    if loader then return loader, chunk end
    -- Whoever reports it knows by this that it is an error of syntax, and where. Running out of memory is none.
    if message ~= "not enough memory" then
      note_module(message, chunk)
      message = format("error loading module '%s' from '%s':\n\t%s", name, chunk, message)
    end
    error(message, 0)
  end

  return require, search_host
end

local loaded, searchers = package.loaded, package.searchers

require, searchers[2] = make_require(package, loaded, load)

searchers[3] = function(name)
  local open = builtin[name]
  if open then return open, ":builtin:" end
  return format("no built-in module '%s'", name)
end

-- ---- async ----

-- Runs functions side by side; the outcome of each, and the position of the one that ended it early.
local function run_all(name, needs_all, functions, count)
  local outcomes, bodies, group, me = {}, {}, { count = count, needs_all = needs_all }, task()
  for i = 1, count do
    local body = functions[i]
    if type(body) ~= "function" then bad_argument(i, name, "function", type(body)) end
    bodies[i] = function()
      local _ <close> = setmetatable({ group, i }, entry)
      group[i] = task()
      local outcome = pack(pcall(body))
      outcomes[i] = outcome
      return not (needs_all and outcome[1])
    end
  end
  local _ <close> = setmetatable({ groups, me }, entry)
  groups[me] = group
  local first = run(unpack(bodies, 1, count))
  return outcomes, first
end

-- Functions come one by one or in a table.
local function functions_of(...)
  local first = ...
  if type(first) == "table" and select("#", ...) == 1 then return first, #first, true end
  return { ... }, select("#", ...), false
end

async = {}

function async.all(...)
  local functions, count, listed = functions_of(...)
  local outcomes, failed = run_all("async.all", true, functions, count)
  if failed then error(outcomes[failed][2], 0) end
  local results = { n = count }
  for i = 1, count do results[i] = outcomes[i][2] end
  if listed then return results end
  return unpack(results, 1, count)
end

function async.race(...)
  local functions, count = functions_of(...)
  if count == 0 then bad_argument(1, "async.race", "function", "no value") end
  local outcomes, first = run_all("async.race", false, functions, count)
  local outcome = outcomes[first]
  if not outcome[1] then error(outcome[2], 0) end
  return unpack(outcome, 2, outcome.n)
end

function async.sleep(ms)
  if not math_type(ms) then bad_argument(1, "async.sleep", "number", type(ms)) end
  sleep(ms)
end

loaded.async = async

-- ---- environments ----

-- What environment.lua works with, as it was before any script. Most VMs never need that file: the first environment compiles it.
local parts = {
  globals = _G, package = package, loaded = loaded, preload = package.preload, require = require, make_require = make_require,
  builtin = builtin, search_preload = searchers[1], search_host = searchers[2], search_builtin = searchers[3], open_math = open_math,
  base = { assert, error, getmetatable, ipairs, next, pairs, pcall, print, rawequal, rawget, rawlen, rawset, select, setmetatable,
    tonumber, tostring, type, xpcall },
  libraries = { string, table, utf8, os, debug, ext, async }, math = math, io = io, coroutine = coroutine, host = host,
  collectgarbage = collectgarbage, error = error, getmetatable = getmetatable, load = load, next = next, rawequal = rawequal,
  rawget = rawget, select = select, setmetatable = setmetatable, type = type, warn = warn, byte = string.byte, format = format,
  random = math.random, randomseed = math.randomseed,
  create = coroutine.create, running = coroutine.running, wrap = coroutine.wrap,
  io_input = io.input, io_lines = io.lines, io_output = io.output, io_read = io.read, io_type = io.type, io_write = io.write,
  file_lines = io.stdin.lines, file_read = io.stdin.read, file_write = io.stdout.write,
}
local make_environment

-- Files are given before there is any environment, and so `parts` is there.
return function(variables)
  if not make_environment then make_environment, parts = compile_environments()(parts), nil end
  return make_environment(variables)
end, function(add, ...)
  return add(parts, ...)
end
