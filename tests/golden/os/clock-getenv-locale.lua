--- pass
--- float	true
--- true	true
--- nil	nil
--- bad argument #1 to 'os.getenv' (string expected, got no value)
--- bad argument #1 to 'os.getenv' (string expected, got table)
--- bad argument #1 to 'os.getenv' (string expected, got nil)
--- nil
--- C	C	C	C	C	C	C	C	C
--- nil	nil
--- bad argument #2 to 'os.setlocale' (invalid option 'nothing')
--- bad argument #1 to 'os.setlocale' (string expected, got table)
--- bad argument #2 to 'os.setlocale' (string expected, got table)
--- 0.5	1.5	nil	I	true	false
--- true
---
-- Manual 6.9: os.clock, os.getenv, os.setlocale.
local function err(f, ...) print((select(2, pcall(f, ...)))) end
local c = os.clock(); print(math.type(c), c >= 0); for i = 1, 1000 do local _ = { i } end print(os.clock() >= c, os.clock() - c < 60)
print(os.getenv("PERILUNE_NO_SUCH_VARIABLE"), os.getenv("")); err(os.getenv); err(os.getenv, {}); err(os.getenv, nil); print(os.getenv(12345))
-- the only locale is "C"
print(os.setlocale("C"), os.setlocale(), os.setlocale(nil), os.setlocale("C", "all"), os.setlocale("C", "numeric"), os.setlocale(nil, "ctype"), os.setlocale("C", "collate"), os.setlocale(nil, "monetary"), os.setlocale(nil, "time")); print(os.setlocale("no_SUCH.locale"), os.setlocale("xx", "all"))
err(os.setlocale, "C", "nothing"); err(os.setlocale, {}); err(os.setlocale, "C", {})
print(0.5, ("%.1f"):format(1.5), tonumber("1,5"), ("i"):upper(), ("ä"):upper() == "ä", "a" < "B")
-- the clock does not run backwards over work
local last, ok = os.clock(), true; for i = 1, 50 do local n = os.clock(); ok = ok and n >= last; last = n end print(ok)
