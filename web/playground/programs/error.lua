-- An error arrives with its kind, its message, the line, a traceback and the
-- value that was raised. The VM goes on: run it again, or run something else.

local log = ext.table("error.log")

-- What is written before an error stays, unless a transaction takes it back.
table.insert(log, "before")

-- pcall catches any value, also a table.
local ok, caught = pcall(error, { code = 42, reason = "caught" })
print("caught", ok, caught.code, caught.reason)

local ok, reason = pcall(ext.transaction, function()
  table.insert(log, "never seen")
  error("taken back", 0)
end)
print("rolled back", reason, #log)

io.stderr:write("this line went to stderr\n")

local function inner(depth)
  local orbit = nil
  return orbit.apoapsis + depth
end

local function outer(depth)
  local value = inner(depth)
  return value
end

outer(3)
