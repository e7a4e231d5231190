-- What a script sees: its globals, its modules, and what becomes of what it leaves behind. Runs once, before any script.
-- What it uses is local, so that no script can change it under its hands.
-- Returns two functions for the host: `load` compiles a script, `run` runs it.
local error, getmetatable, load, next, pcall, rawget, rawset, select, setmetatable, tostring, type =
  error, getmetatable, load, next, pcall, rawget, rawset, select, setmetatable, tostring, type
local concat, format, lower, match, sub = table.concat, string.format, string.lower, string.match, string.sub
local getinfo, loaded, randomseed = debug.getinfo, package.loaded, math.randomseed
local globals, call = _G, engine.call
local json, base64 = require("json"), require("base64")
local encode, object = json.encode, json.object

-- Numbers of the host's functions (sandbox/src/host_call.rs).
local HTTP_GET, KV_GET, KV_SET, KV_DEL, DECRYPT, LOG = 1, 2, 3, 4, 5, 6
-- Bytes of a name that messages show.
local SHOWN_BYTES = 64

-- ---- errors ----

-- Raises a message with the place in the script, as `error` does: level 1 is the function that calls this one.
local function raise(message, level)
  local place = getinfo(level + 1, "Sl")
  if place and place.source == "=script" and place.currentline > 0 then
    message = format("script:%d: %s", place.currentline, message)
  end
  error(message, 0)
end

local function bad_argument(n, name, expected, value)
  raise(format("bad argument #%d to '%s' (%s expected, got %s)", n, name, expected, type(value)), 3)
end

local function shown(name)
  return #name > SHOWN_BYTES and sub(name, 1, SHOWN_BYTES) .. "..." or name
end

-- An argument that is a string, or a number, which counts as its text, as in Lua's own libraries.
local function text(n, name, value)
  local kind = type(value)
  if kind == "string" then return value end
  if kind == "number" then return tostring(value) end
  raise(format("bad argument #%d to '%s' (string expected, got %s)", n, name, kind), 3)
end

-- Errors of modules are values with the fields type, message and retryable.
local module_error = { __name = "module error", __metatable = false }

function module_error.__tostring(value)
  local message = rawget(value, "message")
  return type(message) == "string" and message or "error of a module"
end

function module_error.__concat(a, b)
  return tostring(a) .. tostring(b)
end

-- The results of a call of the host; its error is raised.
local function answer(ok, first, second, third)
  if ok then return first, second, third end
  error(setmetatable({ type = first, message = second, retryable = third }, module_error), 0)
end

-- ---- log ----

local function write(level, name, ...)
  local count = select("#", ...)
  if count == 0 then raise(format("bad argument #1 to '%s' (value expected)", name), 3) end
  local message, fields = ...
  local line
  if fields ~= nil then
    if type(fields) ~= "table" then bad_argument(2, name, "table", fields) end
    -- A copy, because what is marked as an object must be a table of our own.
    local copy = object()
    for key, value in next, fields do
      if type(key) ~= "string" then
        raise(format("bad argument #2 to '%s' (names of fields are strings, got %s)", name, type(key)), 3)
      end
      copy[key] = value
    end
    local ok
    ok, line = pcall(encode, copy)
    if not ok then
      if line == "not enough memory" then error(line, 0) end
      raise(format("bad argument #2 to '%s' (%s)", name, tostring(line)), 3)
    end
  end
  answer(call(LOG, level, tostring(message), line))
end

local log = {}

function log.info(...)
  write("info", "info", ...)
end

function log.warn(...)
  write("warn", "warn", ...)
end

function log.error(...)
  write("error", "error", ...)
end

function print(...)
  local count = select("#", ...)
  local line
  if count == 1 then
    line = tostring((...))
  else
    local parts = { ... }
    for i = 1, count do parts[i] = tostring(parts[i]) end
    line = concat(parts, "\t", 1, count)
  end
  answer(call(LOG, "info", line))
end

function warn(first, ...)
  local parts = { text(1, "warn", first), ... }
  for i = 2, #parts do parts[i] = text(i, "warn", parts[i]) end
  -- "@on" and its like are for the interpreter; warnings are on, always.
  if #parts == 1 and sub(parts[1], 1, 1) == "@" then return end
  answer(call(LOG, "warn", concat(parts)))
end

-- ---- http, kv, crypto ----

-- Reads names in any case from a table whose names are in lower case.
local any_case = { __metatable = false }

function any_case.__index(headers, name)
  return type(name) == "string" and rawget(headers, lower(name)) or nil
end

local http = {}

function http.get(url, headers)
  url = text(1, "get", url)
  local sent = {}
  if headers ~= nil then
    if type(headers) ~= "table" then bad_argument(2, "get", "table", headers) end
    for name, value in next, headers do
      local kind = type(value)
      if type(name) ~= "string" then
        raise(format("bad argument #2 to 'get' (names of headers are strings, got %s)", type(name)), 2)
      elseif kind ~= "string" and kind ~= "number" then
        raise(format("bad argument #2 to 'get' (header %s is a %s value)", shown(name), kind), 2)
      end
      sent[name] = tostring(value)
    end
  end
  local status_code, body, received = answer(call(HTTP_GET, url, sent))
  return { status_code = status_code, body = body, headers = setmetatable(received, any_case) }
end

local kv = {}

function kv.get(key)
  local value = answer(call(KV_GET, text(1, "get", key)))
  return value
end

function kv.set(key, value, ttl_seconds)
  key, value = text(1, "set", key), text(2, "set", value)
  if ttl_seconds ~= nil and type(ttl_seconds) ~= "number" then bad_argument(3, "set", "number", ttl_seconds) end
  answer(call(KV_SET, key, value, ttl_seconds))
end

function kv.del(key)
  answer(call(KV_DEL, text(1, "del", key)))
end

local crypto = {}

function crypto.decrypt_credential(key_name, symmetric_key, data)
  key_name, symmetric_key = text(1, "decrypt_credential", key_name), text(2, "decrypt_credential", symmetric_key)
  if data == nil then
    symmetric_key, data = nil, symmetric_key
  else
    data = text(3, "decrypt_credential", data)
  end
  local plain = answer(call(DECRYPT, key_name, symmetric_key, data))
  return plain
end

-- ---- headers ----

-- The table has the names as they came. Names in another case lead to those, by the map from lower case, which is made when
-- it is needed first.
local names
local headers_behavior = { __metatable = false, __name = "headers" }
local webhook_headers = setmetatable({}, headers_behavior)

local function names_of(headers)
  if not names then
    names = {}
    for name in next, headers do
      if type(name) == "string" then names[lower(name)] = name end
    end
  end
  return names
end

function headers_behavior.__index(headers, name)
  if type(name) ~= "string" then return nil end
  local known = names_of(headers)[lower(name)]
  return known and rawget(headers, known)
end

function headers_behavior.__newindex(headers, name, value)
  if type(name) ~= "string" then
    raise(format("names of headers are strings, got %s", type(name)), 2)
  end
  local known = names_of(headers)
  local key = lower(name)
  local old = known[key]
  if old and rawget(headers, old) ~= nil then
    rawset(headers, old, value)
  elseif value ~= nil then
    known[key] = name
    rawset(headers, name, value)
  end
end

-- ---- metadata ----

local facts
local metadata_behavior = { __metatable = false, __name = "metadata" }

function metadata_behavior.__newindex(_, name)
  raise(format("metadata is read-only (%s)", type(name) == "string" and shown(name) or type(name)), 2)
end

function metadata_behavior.__pairs(metadata)
  return function(_, key) return next(facts, key) end, metadata, nil
end

-- ---- globals ----

for name, module in next, { json = json, base64 = base64, http = http, kv = kv, crypto = crypto, log = log } do
  loaded[name] = module
  globals[name] = module
end
for _, name in next, { "debug", "package", "engine", "host", "io", "os", "ext", "async" } do
  loaded[name] = nil
  globals[name] = nil
end
for _, name in next, { "load", "loadstring", "loadfile", "dofile", "collectgarbage" } do
  globals[name] = nil
end
unpack = table.unpack

function require(name)
  name = text(1, "require", name)
  local module = loaded[name]
  if module == nil then
    raise(format("module '%s' not found: there are json, base64, http, kv, crypto and log", shown(name)), 2)
  end
  return module
end

payload, headers, request, config, previous_error = "", webhook_headers, { headers = {} }, {}, false
metadata = setmetatable({}, metadata_behavior)

-- ---- output ----

-- What is wrong with a table of headers; numbers become their texts.
local function check_headers(where, headers)
  for name, value in next, headers do
    if type(name) ~= "string" then
      return format("%s has a key that is a %s value; names of headers are strings", where, type(name))
    end
    local kind = type(value)
    if kind == "number" then
      rawset(headers, name, tostring(value))
    elseif kind ~= "string" then
      return format('%s["%s"] is a %s value, and must be a string', where, shown(name), kind)
    end
  end
end

local function output()
  local request, config = rawget(globals, "request"), rawget(globals, "config")
  if rawget(globals, "headers") ~= webhook_headers then
    return false, 'headers was replaced; write to its fields (headers["X-Name"] = "value"), or to request.headers'
  elseif type(request) ~= "table" then
    return false, format("request is a %s value, and must be a table", type(request))
  elseif type(config) ~= "table" then
    return false, format("config is a %s value, and must be a table", type(config))
  end
  local body, more, opt_out =
    rawget(request, "body"), rawget(request, "headers"), rawget(config, "opt_out_default_headers")
  if body ~= nil and type(body) ~= "string" then
    return false, format("request.body is a %s value, and must be a string", type(body))
  elseif more ~= nil and type(more) ~= "table" then
    return false, format("request.headers is a %s value, and must be a table", type(more))
  elseif opt_out ~= nil and type(opt_out) ~= "boolean" then
    return false, format("config.opt_out_default_headers is a %s value, and must be true or false", type(opt_out))
  end
  local wrong = check_headers("headers", webhook_headers) or more and check_headers("request.headers", more)
  if wrong then return false, wrong end
  return true, body, webhook_headers, more, opt_out
end

-- ---- load and run ----

local main

-- Message of the compiler for what nests too deep: the only one without a line.
local TOO_DEEP = "C stack overflow"

-- The message with the line. What comes before the place is the longest beginning that the compiler finds fault with for
-- another reason, which names the line at which that beginning ends.
local function too_deep(source)
  local fits, fails, line = 0, #source, 1
  while fails - fits > 1 do
    local middle = (fits + fails) // 2
    local _, message = load(sub(source, 1, middle), "=script", "t")
    if message == TOO_DEEP then
      fails = middle
    else
      fits, line = middle, message and match(message, "^script:(%d+):") or line
    end
  end
  return format("script:%d: the code nests too deep (%s)", line, TOO_DEEP)
end

return function(source)
  local message
  main, message = load(source, "=script", "t")
  return main ~= nil, message == TOO_DEEP and too_deep(source) or message
end, function(given_payload, given_headers, given_metadata, given_error)
  randomseed()
  payload, previous_error = given_payload, given_error
  webhook_headers = setmetatable(given_headers, headers_behavior)
  headers = webhook_headers
  facts, metadata_behavior.__index = given_metadata, given_metadata
  main()
  return output()
end
