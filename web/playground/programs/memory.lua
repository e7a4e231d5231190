-- The VM has 2 MiB, everything included. A program that wants more gets an
-- error that it can catch; nothing crashes, and the memory comes back.
-- Watch the chart, then press "Collect garbage".

local function fill()
  local hoard = {}
  for i = 1, math.huge do
    hoard[i] = ("regolith "):rep(10) .. i
  end
end

print("before", math.floor(collectgarbage "count"), "KiB")

local ok, reason = pcall(fill)
print("filled", ok, reason)

collectgarbage()
print("after", math.floor(collectgarbage "count"), "KiB")

-- What is global lives as long as the VM: until the page is reloaded.
kept = kept or {}
for i = 1, 2000 do kept[#kept + 1] = { index = i } end
print("kept", #kept, "tables in a global")

-- An external table is outside: 20,000 entries cost the VM nothing.
local outside = ext.table("outside")
for i = 1, 20000 do outside[i] = i * 0.5 end
print("outside", ext.count(outside), "entries")
