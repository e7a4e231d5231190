-- Files as programs: loadfile, dofile, and the searcher of require. Runs when a VM is given files, before any script. Lua code,
-- because a file may wait while it runs.
local parts, read, search_path, module_text, note_module = ...
local error, format, select, type, package = parts.error, parts.format, parts.select, parts.type, parts.package
local file_read, stdin = parts.file_read, parts.io.stdin

local function make_load_file(load)
  return function(...)
    local name, mode = ...
    local text, message, chunk
    if name == nil then
      text, chunk = file_read(stdin, "a"), "=stdin"
    else
      text, message = read(name)
      if not text then return nil, format("cannot open %s", message) end
      chunk = "@" .. name
    end
    if select("#", ...) > 2 then return load(module_text(text), chunk, mode, (select(3, ...))) end
    return load(module_text(text), chunk, mode)
  end
end

local function make_do_file(load_file)
  return function(name)
    local chunk, message = load_file(name)
    if not chunk then error(message, 0) end
    return chunk()
  end
end

local function make_search(package, load)
  return function(name)
    local path = package.path
    if type(path) ~= "string" then error("'package.path' must be a string", 0) end
    local file, message = search_path(name, path)
    if not file then return message end
    local loader
    loader, message = load(module_text(read(file)), "@" .. file, "t")
    if loader then return loader, file end
    if message ~= "not enough memory" then
      note_module(message, file)
      message = format("error loading module '%s' from file '%s':\n\t%s", name, file, message)
    end
    error(message, 0)
  end
end

parts.make_load_file, parts.make_do_file, parts.make_search = make_load_file, make_do_file, make_search
loadfile = make_load_file(parts.load)
dofile = make_do_file(loadfile)
parts.load_file, parts.do_file, parts.io_close = loadfile, dofile, parts.io.close
local searchers = package.searchers
parts.search_file = make_search(package, parts.load)
searchers[#searchers + 1] = parts.search_file
