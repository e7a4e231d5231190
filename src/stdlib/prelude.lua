-- What is easier said in Lua, because Lua code can be suspended anywhere: require, and async. Runs once, before any script;
-- what it uses is local, so that no script can change it under its hands.
local package, builtin, find, run, sleep, task, may_wait, module_text, note_module, compile_environments, open_math = ...
local error, load, pcall, select, setmetatable, tostring, type = error, load, pcall, select, setmetatable, tostring, type
local concat, pack, unpack = table.concat, table.pack, table.unpack
local format, math_type, maxinteger, rawget = string.format, math.type, math.maxinteger, rawget

local function bad_argument(n, name, expected, got)
  error(format("bad argument #%d to '%s' (%s expected, got %s)", n, name, expected, got), 3)
end

-- ---- modules ----

-- Each set of loaded modules has its own: the globals' one, and one for each environment. `load` decides where a module of the host
-- has its variables.
local function make_require(package, loaded, load)
  -- Names that are being loaded, each with the task that does it; and for each such task the names in order.
  local loading, chains = {}, {}

  -- Calls the loader while the name counts as being loaded. Whatever fails, also for want of memory: afterwards it does not.
  local function run_loader(loader, name, data, owner)
    local chain = chains[owner] or {}
    local _ <close> = setmetatable({}, { __close = function()
      loading[name] = nil
      if chain[#chain] == name then chain[#chain] = nil end
      if #chain == 0 then chains[owner] = nil end
    end })
    chains[owner] = chain
    chain[#chain + 1] = name
    loading[name] = owner
    return (loader(name, data))
  end

  -- What a name that is being loaded means for the next one who wants it.
  local function wait_for(name, owner)
    if loading[name] == owner then
      error(format("module '%s' requires itself: %s -> %s", name, concat(chains[owner], " -> "), name), 3)
    elseif not may_wait() then
      error(format("module '%s' is being loaded by a call that waits", name), 3)
    end
    repeat sleep(1) until not loading[name]
  end

  local function find_loader(name)
    local searchers = package.searchers
    if type(searchers) ~= "table" then error("'package.searchers' must be a table", 3) end
    local messages = {}
    for i = 1, maxinteger do
      local searcher = rawget(searchers, i)
      if searcher == nil then break end
      local loader, data = searcher(name)
      if type(loader) == "function" then return loader, data end
      if type(loader) == "string" or type(loader) == "number" then messages[#messages + 1] = "\n\t" .. loader end
    end
    error(format("module '%s' not found:%s", name, concat(messages)), 3)
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
    local loader, data = find_loader(name)
    value = run_loader(loader, name, data, owner)
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
local function run_all(name, stops, functions, count)
  local outcomes, bodies = {}, {}
  for i = 1, count do
    local body = functions[i]
    if type(body) ~= "function" then bad_argument(i, name, "function", type(body)) end
    bodies[i] = function()
      local outcome = pack(pcall(body))
      outcomes[i] = outcome
      return stops(outcome[1])
    end
  end
  return outcomes, run(unpack(bodies, 1, count))
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
  local outcomes, failed = run_all("async.all", function(ok) return not ok end, functions, count)
  if failed then error(outcomes[failed][2], 0) end
  local results = { n = count }
  for i = 1, count do results[i] = outcomes[i][2] end
  if listed then return results end
  return unpack(results, 1, count)
end

function async.race(...)
  local functions, count = functions_of(...)
  if count == 0 then bad_argument(1, "async.race", "function", "no value") end
  local outcomes, first = run_all("async.race", function() return true end, functions, count)
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

return function(variables)
  if not make_environment then make_environment, parts = compile_environments()(parts), nil end
  return make_environment(variables)
end
