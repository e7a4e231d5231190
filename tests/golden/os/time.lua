--- pass
--- integer	true	true
--- integer	2024-03-15 12:30:15
--- 6	75	true	3
--- 12:00:00	true
--- 2025-02-01 00:00:00	2025	2	1	0	0	0
--- 2024-02-01 01:00:00	2024	2	1	1	0	0
--- 2024-03-01 12:00:00	2024	3	1	12	0	0
--- 2023-03-01 12:00:00	2023	3	1	12	0	0
--- 2023-12-01 12:00:00	2023	12	1	12	0	0
--- 2024-02-29 12:00:00	2024	2	29	12	0	0
--- 2024-01-02 02:02:01	2024	1	2	2	2	1
--- 2024-01-01 11:59:00	2024	1	1	11	59	0
--- 2022-12-01 12:00:00	2022	12	1	12	0	0
--- 2024-12-31 12:00:00	2024	12	31	12	0	0
--- 86400	86400.0	float	-86400.0	0.0
--- 3600	59
--- true
--- field 'year' missing in date table
--- field 'month' missing in date table
--- field 'day' missing in date table
--- field 'year' missing in date table
--- field 'year' is not an integer
--- field 'month' is not an integer
--- field 'day' is not an integer
--- field 'year' is out-of-bound
--- field 'month' is out-of-bound
--- field 'sec' is out-of-bound
--- field 'hour' is not an integer
--- bad argument #1 to 'os.time' (table expected, got number)
--- bad argument #1 to 'os.time' (table expected, got string)
--- true	true
--- bad argument #1 to 'os.difftime' (number expected, got no value)
--- bad argument #2 to 'os.difftime' (number expected, got no value)
--- bad argument #1 to 'os.difftime' (number expected, got string)
--- bad argument #1 to 'os.difftime' (number has no integer representation)
--- 5.0	-100.0	5.0
--- done
---
-- Manual 6.9: os.time and os.difftime; local time zones only in relations.
local function err(f, ...) print((select(2, pcall(f, ...)))) end
local now = os.time(); print(math.type(now), now > 1600000000, os.time() - now <= 2)
local base = { year = 2024, month = 3, day = 15, hour = 12, min = 30, sec = 15 }
local t = os.time(base); print(math.type(t), os.date("%Y-%m-%d %H:%M:%S", t)); print(base.wday, base.yday, base.isdst ~= nil, base.month)
-- noon is the default hour; min and sec default to 0
print(os.date("%H:%M:%S", os.time { year = 2024, month = 1, day = 1 }), os.time { year = 2024, month = 1, day = 1, hour = 12, min = 0, sec = 0 } == os.time { year = 2024, month = 1, day = 1 })
-- fields are normalized, in the given table too
local function norm(d) local r = os.date("%Y-%m-%d %H:%M:%S", os.time(d)); print(r, d.year, d.month, d.day, d.hour, d.min, d.sec) end
norm { year = 2024, month = 14, day = 1, hour = 0 }; norm { year = 2024, month = 1, day = 32, hour = 1 }; norm { year = 2024, month = 2, day = 30, hour = 12 }; norm { year = 2023, month = 2, day = 29, hour = 12 }; norm { year = 2024, month = 0, day = 1, hour = 12 }; norm { year = 2024, month = 3, day = 0, hour = 12 }; norm { year = 2024, month = 1, day = 1, hour = 25, min = 61, sec = 61 }; norm { year = 2024, month = 1, day = 1, hour = 12, min = -1 }; norm { year = 2024, month = -11, day = -30, hour = 12 }; norm { year = 2024, month = 1, day = 366, hour = 12 }
-- differences in days, hours and seconds
local d1, d2 = os.time { year = 2024, month = 2, day = 28, hour = 12 }, os.time { year = 2024, month = 2, day = 29, hour = 12 }; print(d2 - d1, os.difftime(d2, d1), math.type(os.difftime(d2, d1)), os.difftime(d1, d2), os.difftime(d1, d1))
print(os.time { year = 2024, month = 6, day = 1, hour = 10 } - os.time { year = 2024, month = 6, day = 1, hour = 9 }, os.time { year = 2024, month = 6, day = 1, hour = 10, sec = 59 } - os.time { year = 2024, month = 6, day = 1, hour = 10 })
-- strings and integral floats count as fields; other values do not
print(os.time { year = "2024", month = "3", day = 15.0, hour = "12", min = 30, sec = 15 } == t)
err(os.time, {}); err(os.time, { year = 2024 }); err(os.time, { year = 2024, month = 1 }); err(os.time, { month = 1, day = 1 }); err(os.time, { year = "x", month = 1, day = 1 }); err(os.time, { year = 2024, month = 1.5, day = 1 }); err(os.time, { year = 2024, month = 1, day = {} }); err(os.time, { year = 1 << 40, month = 1, day = 1 }); err(os.time, { year = 2024, month = 1 << 40, day = 1 }); err(os.time, { year = 2024, month = 1, day = 1, sec = -1 << 40 }); err(os.time, { year = 2024, month = 1, day = 1, hour = true }); err(os.time, 5); err(os.time, "x")
-- __index is respected; unknown fields are not looked at
print(os.time(setmetatable({}, { __index = base })) == t, os.time { year = 2024, month = 3, day = 15, hour = 12, min = 30, sec = 15, wday = 99, yday = 999, other = "x" } == t)
err(os.difftime); err(os.difftime, 1); err(os.difftime, "x", 1); err(os.difftime, 1.5, 1); print(os.difftime(10, 5), os.difftime(0, 100), os.difftime("10", 5))
-- round trips through both zones
for _, s in ipairs { 0, 86400 * 180, 1e9, 1700000000, 1711846800, 1730000000 } do local ok = os.time(os.date("*t", s)) == s; if not ok then print("no round trip", s) end end print("done")
