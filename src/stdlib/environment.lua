-- Fresh environments: a table of variables that reads the globals and writes only to itself. Compiled when
-- the first one is made, with the values that prelude.lua saved before any script ran; uses nothing that a
-- script could change.
--
-- Keeps true: what the host has put in the place of a library (`os = false`) is in its place wherever the
-- library could be found: in `package.loaded`, for `require`, in `host`. And the shared state of the libraries (their tables, the default streams, the generator of
-- math.random, loaded modules, the collector's mode) cannot be changed from an environment, because code
-- there has copies, made when it first reads them. Not here: tables that the application has put into its
-- globals, which are shared on purpose.
local parts = ...
local builtin, byte, collectgarbage, create, error = parts.builtin, parts.byte, parts.collectgarbage, parts.create, parts.error
local file_lines, file_read, file_write, format = parts.file_lines, parts.file_read, parts.file_write, parts.format
local getmetatable, globals, host = parts.getmetatable, parts.globals, parts.host
local io_input, io_lines, io_output, io_read = parts.io_input, parts.io_lines, parts.io_output, parts.io_read
local io_type, io_write, load, loaded, make_require = parts.io_type, parts.io_write, parts.load, parts.loaded, parts.make_require
local next, open_math, package, preload = parts.next, parts.open_math, parts.package, parts.preload
local random, randomseed, rawequal, rawget, require = parts.random, parts.randomseed, parts.rawequal, parts.rawget, parts.require
local running, search_builtin, search_host, search_preload = parts.running, parts.search_builtin, parts.search_host, parts.search_preload
local select, setmetatable, type, warn, wrap = parts.select, parts.setmetatable, parts.type, parts.warn, parts.wrap

-- Maps a value of the globals to the function that makes the environment's own version, once for each
-- environment. The function gets the value, the environment, the function `mine`, which returns the
-- environment's version of any value, the table `made`, with the versions that are being made in this step,
-- and the table `given` of the variables that the host gave. They become the environment's only when all are complete, so that running out of memory leaves
-- nothing partial.
local makers = {}
-- Functions without shared state are the same in all environments.
local same = {}

local function copy(original, _, mine, made)
  local result = {}
  made[original] = result
  for key, value in next, original do result[key] = mine(value, made) end
  return result
end

-- Replaces a library function, unless the application has replaced it before.
local function replace(library, name, original, value)
  if rawequal(library[name], original) then library[name] = value end
end

for i = 1, #parts.libraries do makers[parts.libraries[i]] = copy end
for i = 1, #parts.base do same[parts.base[i]] = true end

makers[load] = function(_, env)
  return function(...)
    local count = select("#", ...)
    if count == 0 or count > 3 then return load(...) end
    local chunk, name, mode = ...
    return load(chunk, name, mode, env)
  end
end

-- The collector is shared.
local refused = { stop = true, restart = true, incremental = true, generational = true, setpause = true, setstepmul = true }

makers[collectgarbage] = function()
  return function(option, ...)
    if refused[option] then error(format("collectgarbage '%s' is not available in an environment", option), 2) end
    return collectgarbage(option, ...)
  end
end

-- "@on" and "@off" would switch the warnings of all programs.
makers[warn] = function()
  return function(...)
    local message = ...
    if select("#", ...) == 1 and type(message) == "string" and byte(message) == 64 then return end
    return warn(...)
  end
end

-- A generator of its own, because a program that sets the seed of a shared one knows the numbers that others
-- get.
makers[parts.math] = function(original, env, mine, made)
  local math, fresh = copy(original, env, mine, made), open_math()
  local seed, own_random = fresh.randomseed, fresh.random
  seed(random(0), random(0))
  replace(math, "random", random, own_random)
  replace(math, "randomseed", randomseed, function(...)
    if select("#", ...) == 0 then return seed(own_random(0), own_random(0)) end
    return seed(...)
  end)
  return math
end

-- Default streams of its own, because they could be changed for others.
makers[parts.io] = function(original, env, mine, made)
  local io = copy(original, env, mine, made)
  local input, output
  -- A name is opened by the library, which takes it for the default of all; that is put back.
  local function choose(default, file)
    if io_type(file) then return file end
    local before = default()
    local chosen = default(file)
    default(before)
    return chosen
  end
  replace(io, "input", io_input, function(file)
    if file ~= nil then input = choose(io_input, file) end
    return input or io_input()
  end)
  replace(io, "output", io_output, function(file)
    if file ~= nil then output = choose(io_output, file) end
    return output or io_output()
  end)
  if parts.io_close then
    replace(io, "close", parts.io_close, function(...)
      if select("#", ...) == 0 and output then return parts.io_close(output) end
      return parts.io_close(...)
    end)
  end
  replace(io, "lines", io_lines, function(name, ...)
    if name == nil and input then return file_lines(input, ...) end
    return io_lines(name, ...)
  end)
  replace(io, "read", io_read, function(...)
    if input then return file_read(input, ...) end
    return io_read(...)
  end)
  replace(io, "write", io_write, function(...)
    if output then return file_write(output, ...) end
    return io_write(...)
  end)
  return io
end

-- With files: what compiles them does it for the environment, and what takes a default is told the own one.
if parts.load_file then
  makers[parts.load_file] = function(_, _, mine, made) return parts.make_load_file(mine(load, made)) end
  makers[parts.do_file] = function(_, _, mine, made) return parts.make_do_file(mine(parts.load_file, made)) end
end

local function not_to_be_resumed() error("a coroutine of another program", 0) end

-- A finalizer or a callback runs in the current coroutine, whichever that is. So `running` returns a
-- coroutine only if the program has made it, because the program could close or resume it later; otherwise it
-- returns a substitute that cannot be resumed.
makers[parts.coroutine] = function(original, env, mine, made)
  local coroutine = copy(original, env, mine, made)
  local ours, others = setmetatable({}, { __mode = "k" }), setmetatable({}, { __mode = "k" })
  replace(coroutine, "create", create, function(...)
    local thread = create(...)
    ours[thread] = true
    return thread
  end)
  replace(coroutine, "wrap", wrap, function(...)
    local body = ...
    if type(body) ~= "function" then return wrap(...) end
    return wrap(function(...)
      ours[running()] = true
      return body(...)
    end)
  end)
  replace(coroutine, "running", running, function()
    local thread, is_main = running()
    if ours[thread] then return thread, is_main end
    others[thread] = others[thread] or create(not_to_be_resumed)
    return others[thread], is_main
  end)
  return coroutine
end

-- Copies a table of host functions, and the tables below it that dotted names have made: those are the ones
-- that `shape`, the same table in `host`, also has.
local function copy_registered(original, shape, mine, made)
  if getmetatable(original) ~= nil then return original end
  local result = {}
  made[original] = result
  for key, value in next, original do
    local inner = rawget(shape, key)
    if type(value) == "table" and type(inner) == "table" and rawequal(mine(value, made), value) then
      result[key] = copy_registered(value, inner, mine, made)
    else
      result[key] = mine(value, made)
    end
  end
  return result
end

makers[host] = function(original, _, mine, made, given)
  local result = copy_registered(original, original, mine, made)
  if rawequal(result, original) then return result end
  for name, value in next, given do
    if value == false then result[name] = nil end
  end
  return result
end

-- `package` and `require`: modules are loaded anew, with the environment's variables.
local function open_package(mine, made, given)
  local result, own_loaded, own_preload, searchers = {}, {}, {}, {}
  made[package], made[loaded], made[preload] = result, own_loaded, own_preload
  made[require], made[search_host] = make_require(result, own_loaded, mine(load, made))
  -- Loaders in the application's package.preload are available to all; those of the environment take
  -- precedence.
  made[search_preload] = function(name)
    local loader = own_preload[name]
    if loader ~= nil then return loader, ":preload:" end
    return search_preload(name)
  end
  made[search_builtin] = function(name)
    if given[name] == false then return format("no built-in module '%s'", name) end
    return search_builtin(name)
  end
  if parts.search_file then made[parts.search_file] = parts.make_search(result, mine(load, made)) end
  for key, value in next, package do result[key] = mine(value, made) end
  local shared = package.searchers
  for i = 1, type(shared) == "table" and #shared or 0 do searchers[i] = mine(rawget(shared, i), made) end
  result.searchers = searchers
  -- What the environment has under a library's name is what `require` gives; false is nothing.
  for name, value in next, loaded do
    if rawequal(value, globals) or makers[value] then
      if given[name] == nil then own_loaded[name] = mine(value, made) else own_loaded[name] = given[name] or nil end
    end
  end
  for name in next, builtin do own_loaded[name] = given[name] or nil end
end

makers[package] = function(_, _, mine, made, given)
  open_package(mine, made, given)
  return made[package]
end
makers[require] = function(_, _, mine, made, given)
  open_package(mine, made, given)
  return made[require]
end

-- Makes the table an environment. Only its string keys are variables; other entries are removed.
return function(env)
  local given = {}
  for key, value in next, env do
    if type(key) == "string" then given[key] = value else env[key] = nil end
  end
  -- Maps values of the globals to the values that the environment has instead.
  local own = { [globals] = env }
  -- A table between the environment and the globals, with the environment's own values under the names that
  -- were read before, so that later reads need no call.
  local named = { _G = env }

  local function mine(value, made)
    local found = own[value]
    if found == nil then found = made[value] end
    if found ~= nil then return found end
    local make = makers[value]
    if not make then return value end
    found = make(value, env, mine, made, given)
    made[value] = found
    return found
  end

  local function keep(name, value, made)
    -- All at once: if only a part were kept and the rest made again, there would be two versions.
    for original, instead in next, own do made[original] = instead end
    own = made
    if name ~= nil then named[name] = value end
    return value
  end

  local function index(_, name)
    local value = globals[name]
    if same[value] then
      named[name] = value
      return value
    end
    if makers[value] or own[value] ~= nil then
      local made = {}
      return keep(name, mine(value, made), made)
    end
    if type(value) ~= "table" then return value end
    -- Tables that hold registered functions with dotted names.
    local shape = rawget(host, name)
    if type(shape) == "table" then
      local made = {}
      return keep(name, copy_registered(value, shape, mine, made), made)
    end
    -- Built-in modules that the application has made globals.
    for module in next, builtin do
      if rawequal(value, rawget(loaded, module)) then
        local made = {}
        local own_require = keep(nil, mine(require, made), made)
        -- Under another name than its own it is not what the host has taken away.
        local result = given[module] == nil and own_require(module) or search_builtin(module)(module)
        return keep(name, result, { [value] = result })
      end
    end
    return value
  end

  return setmetatable(env, { __index = setmetatable(named, { __index = index }), __metatable = false })
end
