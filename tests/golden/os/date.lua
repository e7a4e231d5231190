--- pass
--- 1970-01-01 00:00:00
--- 2001-09-09 01:46:40
--- 2023-11-14T22:13:20Z
--- Thu Jan  1 00:00:00 1970
--- 01/01/70 23:59:59 PM
--- Tuesday Tue November Nov 14 318 46 2 46 23 %
--- 11/14/23 14 2023-11-14 Nov 10 13 22:13 22:13:20 2 46 2023 23 20 
--- |	|
--- 01:00:00 PM
--- 70 01 1970 00
--- true	plain text	0505
--- +0000
--- 1970	1	1	0	0	0	5	1	false
--- 2023	11	14	22	13	20	3	318	false
--- 2000	2	29	0	0	0	3	60	false
--- 1969	12	31	23	59	59	4	365	false
--- 2100	1	1	0	0	0	6	1	false
--- 2001	9	9	1	46	40	1	252	false
--- 9	integer	boolean
--- 1972-02-29/060 2000-02-29/060 2000-03-01/061 2100-03-01/060 2024-02-29/060 2024-12-31/366 
--- 400	%d 01%	1000
--- true	true	true	true	true
--- bad argument #1 to 'os.date' (invalid conversion specifier '%Ez')
--- bad argument #1 to 'os.date' (invalid conversion specifier '%')
--- bad argument #1 to 'os.date' (invalid conversion specifier '%Q')
--- bad argument #1 to 'os.date' (invalid conversion specifier '%E')
--- bad argument #1 to 'os.date' (invalid conversion specifier '%O')
--- bad argument #1 to 'os.date' (invalid conversion specifier '%Ox')
--- bad argument #1 to 'os.date' (invalid conversion specifier '%5d')
--- bad argument #1 to 'os.date' (invalid conversion specifier '%i')
--- bad argument #2 to 'os.date' (number expected, got string)
--- bad argument #1 to 'os.date' (string expected, got table)
--- bad argument #2 to 'os.date' (number has no integer representation)
--- bad argument #2 to 'os.date' (number expected, got table)
--- true	true
--- 02	02	nil	true	*
---
-- Manual 6.9: os.date, in UTC and with fixed times.
local function err(f, ...) print((select(2, pcall(f, ...)))) end
print(os.date("!%Y-%m-%d %H:%M:%S", 0)); print(os.date("!%Y-%m-%d %H:%M:%S", 1e9)); print(os.date("!%Y-%m-%dT%H:%M:%SZ", 1700000000)); print(os.date("!%c", 0)); print(os.date("!%x %X %p", 86399)); print(os.date("!%A %a %B %b %d %j %U %w %W %y %%", 1700000000))
print(os.date("!%D %e %F %h %I %M %R %T %u %V %G %g %C %n|%t|", 1700000000)); print(os.date("!%r", 3600 * 13)); print(os.date("!%Ey %Od %EY %OH", 0)); print(os.date("!", 0) == "", os.date("!plain text", 0), os.date("!%H%H", 3600 * 5)); print(os.date("!%z", 0))
-- tables
local function show(t) print(t.year, t.month, t.day, t.hour, t.min, t.sec, t.wday, t.yday, t.isdst) end
show(os.date("!*t", 0)); show(os.date("!*t", 1700000000)); show(os.date("!*t", 951782400)); show(os.date("!*t", -1)); show(os.date("!*t", 4102444800)); show(os.date("!*t", 1e9))
local n = 0; for k, v in pairs(os.date("!*t", 0)) do n = n + 1 end print(n, math.type(os.date("!*t", 0).year), type(os.date("!*t").isdst))
-- leap years and ends of months
for _, t in ipairs { 68169600, 951868799, 951868800, 4107542400, 1709164800, 1735689599 } do io.write(os.date("!%Y-%m-%d/%j ", t)) end print()
-- long results, literal text with percent signs
print(#os.date("!" .. ("%Y"):rep(100), 0), os.date("!%%d %d%%", 0), #os.date("!" .. ("x"):rep(1000), 0))
-- local time only in relations
local now = os.time(); local t = os.date("*t", now); print(os.time(t) == now, os.date("%Y", now) == tostring(t.year), type(os.date()) == "string" and #os.date() > 10, os.date("%H:%M:%S", now) == ("%02d:%02d:%02d"):format(t.hour, t.min, t.sec), os.date("%c", now) == os.date(nil, now))
-- bad conversions and times
err(os.date, "!%Ez", 0); err(os.date, "!%", 0); err(os.date, "!%Q", 0); err(os.date, "!%E", 0); err(os.date, "!%O", 0); err(os.date, "!%Ox", 0); err(os.date, "!%5d", 0); err(os.date, "!%i", 0); err(os.date, "*t", "x"); err(os.date, {}); err(os.date, "!%Y", 1.5); err(os.date, "!%Y", {}); print(pcall(os.date, "!*t", math.maxinteger) == false, pcall(os.date, "!%Y", math.mininteger) == false)
print(os.date("!%d", "86400"), os.date("!%d", 86400.0), os.date("!*tx", 0).year, pcall(os.date, "!*", 0))
