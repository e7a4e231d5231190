-- Lua waits, and other things go on meanwhile: fetch_text is a function of the
-- page, which returns a promise. To Lua it is a call like any other.

local start = os.clock()
local function at() return ("%4.1f s "):format(os.clock() - start) end

print(at() .. "asking the page for itself")
local page = fetch_text(".")
print(at() .. "its title is " .. page:match("<title>(.-)</title>"))

-- Side by side: each in a coroutine of its own, all of them in one second.
local function job(name, ms)
  return function()
    async.sleep(ms)
    print(at() .. name .. " is done")
    return name
  end
end
local first, second = async.all(job("slow", 1000), job("quick", 300))

-- What fails is an error like any other, and what takes too long is given up.
local ok, message = pcall(fetch_text, "https://example.com/")
print(at() .. tostring(message))
local ok, late = pcall(async.race,
  job("too slow", 5000),
  function() async.sleep(400) error("gave up", 0) end)
print(at() .. late)

return first, second, message.name
