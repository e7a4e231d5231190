--- pass
--- nil
--- nil
--- nil
--- nil
--- true
--- nil
--- nil
--- nil
--- nil
--- nil
--- nil
--- true
--- nil
--- 1	2		
--- 1
--- bad argument #1 to 'io.read' (invalid format)
--- bad argument #1 to 'io.read' (invalid format)
--- bad argument #1 to 'io.read' (string expected, got table)
--- bad argument #1 to 'io.read' (string expected, got boolean)
--- bad argument #1 to 'io.read' (invalid format)
--- bad argument #1 to 'io.read' (string expected, got boolean)
--- 0
--- 0
--- 0
--- function
--- false
--- false
---
-- Manual 6.8: io.read and io.lines when the input has nothing to give.
local function err(f, ...) print((select(2, pcall(f, ...)))) end
print(io.read()); print(io.read("l")); print(io.read("L")); print(io.read("n")); print(io.read("a") == ""); print(io.read(0)); print(io.read(1)); print(io.read(100))
-- the letters may have the star of older versions
print(io.read("*l")); print(io.read("*L")); print(io.read("*n")); print(io.read("*a") == ""); print(io.read("line"))
-- several formats: the first failure ends
print(select("#", io.read("l", "l")), select("#", io.read("a", "l")), io.read("a", "a")); print(select("#", io.read("n", "n", "n")))
err(io.read, "x"); err(io.read, ""); err(io.read, {}); err(io.read, true); err(io.read, "*x"); err(io.read, -1 == 0)
-- lines: no turn at all
local n = 0; for l in io.lines() do n = n + 1 end print(n); for l in io.lines(nil, "L") do n = n + 1 end print(n); for l in io.lines(nil, 4) do n = n + 1 end print(n)
local it = io.lines(); print(type(it), it())
-- files are out of reach
print((pcall(io.lines, "/no/such/file/anywhere"))); print((pcall(io.lines, "")))
