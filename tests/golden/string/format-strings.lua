--- pass
--- 1 1.5 true nil	[  abc][abc  ][ab][    a][a    ][]		     right|	left      |
--- custom	cus	true	true
--- 3	500	20	99	abc	%x%	abcd| ab	3
--- bad argument #2 to 'string.format' (string contains zeros)
--- bad argument #2 to 'string.format' (string contains zeros)
--- bad argument #2 to 'string.format' (no value)
--- bad argument #3 to 'string.format' (no value)
--- 1
--- invalid conversion specification: '%100s'
--- invalid conversion specification: '%.100s'
--- "plain"	true
--- "quote \" inside"	true
--- "back\\slash"	true
--- "new\<nl>line"	true
--- "cr\13lf\<nl>"	true
--- "nul\0"	true
--- "nul\0001"	true
--- "\0011\1a\31\127"	true
--- "tab\9 bell\7"	true
--- "high ??"	true
--- ""	true
--- "'single'"	true
--- "\13\<nl>\0\0"	true
--- "?\0019"	true
--- 0	true
--- -1	true
--- 9223372036854775807	true
--- 0x8000000000000000	true
--- 0x1.8p+0	true
--- -0x0p+0	true
--- 0x1.999999999999ap-4	true
--- 0x1.249ad2594c37dp+332	true
--- 1e9999	true
--- -1e9999	true
--- 0x1p+53	true
--- 0x1.8p+1	true
--- true	true
--- false	true
--- nil	true
--- (0/0)	true
--- bad argument #2 to 'string.format' (value has no literal form)
--- bad argument #2 to 'string.format' (value has no literal form)
--- bad argument #2 to 'string.format' (no value)
--- specifier '%q' cannot have modifiers
--- specifier '%q' cannot have modifiers
--- specifier '%q' cannot have modifiers
--- bad argument #2 to 'string.format' (value has no literal form)
--- bad argument #2 to 'string.format' (value has no literal form)
--- true	true
--- (null)	(null)	(null)	[    (null)]	[(null)  ]
--- true	true	true	true	true	true
--- bad argument #2 to 'string.format' (no value)
--- invalid conversion specification: '%.3p'
--- invalid conversion specification: '%010p'
--- apple   |   3|    0.50|  50.0%
--- kiwi    |  12|    0.25|  25.0%
---
-- Manual 6.4: string.format with %s and %q, and %p.
local f = string.format
local function err(...) print((select(2, pcall(f, ...)))) end
print(f("%s %s %s %s", 1, 1.5, true, nil), f("[%5s][%-5s][%.2s][%5.1s][%-5.1s][%.0s]", "abc", "abc", "abc", "abc", "abc", "abc"), f("%s", ""), f("%10s|", "right"), f("%-10s|", "left"))
print(f("%s", setmetatable({}, { __tostring = function() return "custom" end })), f("%.3s", setmetatable({}, { __tostring = function() return "custom" end })), f("%s", setmetatable({}, { __name = "T" })):match("^T: ") ~= nil, f("%s", {}):match("^table: ") ~= nil)
print(#f("%s", "a\0b"), #f("%s", ("x"):rep(500)), #f("%.20s", ("x"):rep(500)), #f("%99s", "x"), f("%s%s%s", "a", "b", "c"), f("%%%s%%", "x"), f("%3s|%3s", "abcd", "ab"), f("%.3s", "äö"):len())
err("%10s", "a\0b"); err("%.5s", "a\0b"); err("%s"); err("%s %s", 1); err("%s", setmetatable({}, { __tostring = function() return 1 end })); err("%100s", "x"); err("%.100s", "x")
-- %q writes what the reader of Lua reads back
local function q(v) local s = f("%q", v); local back = load("return " .. s)(); print(s:gsub("\n", "<nl>"):gsub("[\x80-\xff]", "?"), back == v and math.type(back) == math.type(v)) end
q "plain"; q 'quote " inside'; q "back\\slash"; q "new\nline"; q "cr\rlf\n"; q "nul\0"; q "nul\0001"; q "\0011\1a\31\127"; q "tab\t bell\a"; q "high \xff\x80"; q ""; q "'single'"; q "\r\n\0\0"; q "\200\0019"
q(0); q(-1); q(math.maxinteger); q(math.mininteger); q(1.5); q(-0.0); q(0.1); q(1e100); q(1 / 0); q(-1 / 0); q(2^53); q(3.0); q(true); q(false); q(nil)
local nan = f("%q", 0 / 0); print(nan, load("return " .. nan)() ~= load("return " .. nan)())
err("%q", {}); err("%q", print); err("%q"); err("%5q", "x"); err("%.3q", "x"); err("%-q", "x"); err("%q", coroutine.create(print)); err("%q", setmetatable({}, { __tostring = function() return "x" end }))
-- every byte survives %q
local all = {}
for i = 0, 255 do all[#all + 1] = string.char(i) .. (i % 3 == 0 and "7" or "") end
all = table.concat(all)
print(load("return " .. f("%q", all))() == all, load("return " .. f("%q", all:reverse()))() == all:reverse())
-- %p: null for values that are no objects; equal for the same object
print(f("%p", 1), f("%p", true), f("%p", nil), f("[%10p]", 1.5), f("[%-8p]", false))
local t = {}
print(f("%p", t) == f("%p", t), f("%p", t) ~= f("%p", {}), f("%p", print) == f("%p", print), f("%p", "short") == f("%p", "sh" .. "ort"), f("%p", t):match("^0x%x+$") ~= nil or f("%p", t):match("^%x+$") ~= nil, f("%p", coroutine.create(print)) ~= f("%p", 1))
err("%p"); err("%.3p", {}); err("%010p", {})
-- a line of a report
for _, r in ipairs { { "apple", 3, 0.5 }, { "kiwi", 12, 0.25 } } do print(f("%-8s|%4d|%8.2f|%6.1f%%", r[1], r[2], r[3], r[3] * 100)) end
