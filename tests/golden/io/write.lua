--- pass
--- plain
--- a12.5-01e+100
--- 
--- 1 1 9.007199254741e+15 4611686018427387904 -9223372036854775808
--- inf -inf 0.1 100 1.5
--- true
--- one two 3
--- through the object
--- true
--- first second
--- third fourth
--- bad argument #1 to 'io.write' (string expected, got nil)
--- bad argument #1 to 'io.write' (string expected, got boolean)
--- bad argument #1 to 'io.write' (string expected, got table)
--- bad argument #1 to 'io.write' (string expected, got function)
--- xbad argument #2 to 'io.write' (string expected, got table)
--- 
--- golden:41: bad argument #1 to 'write' (string expected, got table)
--- golden:41: bad argument #1 to 'write' (string expected, got table)
--- ygolden:41: bad argument #2 to 'write' (string expected, got nil)
--- tab	here utf-8 äöü€😀 quote" \ backslash
--- 1000
--- xxxxxxxxxx
--- 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20
---   id|name  |
---    1|ann   |
---   22|bob   |
--- true	true
--- golden:48: bad argument #1 to 'write' (string expected, got nil)
--- function	userdata	userdata	function
---
-- Manual 6.8: io.write and the standard output object.
local function err(f, ...) print((select(2, pcall(f, ...)))) end
io.write("plain\n"); io.write("a", 1, 2.5, -0.0, 1e100, "\n"); io.write(); io.write(""); io.write("", "\n"); io.write(1, " ", 1.0, " ", 2^53, " ", 1 << 62, " ", math.mininteger, "\n"); io.write(1 / 0, " ", -1 / 0, " ", 0.1, " ", 100 // 1, " ", 3 / 2, "\n")
-- it returns the stream, so calls can be chained
print(io.write("") == io.stdout); io.write("one "):write("two ", 3):write("\n"); io.stdout:write("through ", "the ", "object\n"); print(io.stdout:write("") == io.stdout)
-- print and write share the order
io.write("first "); print("second"); io.stdout:write("third "); print("fourth")
-- other values are refused; nothing of the call after the bad value is written
err(io.write, nil); err(io.write, true); err(io.write, {}); err(io.write, print); err(io.write, "x", {}); print() err(function() io.write(setmetatable({}, { __tostring = function() return "no" end })) end); err(function() io.stdout:write({}) end); err(function() io.stdout:write("y", nil) end)
-- bytes go through untouched
io.write("tab\there ", "utf-8 äöü€😀 ", "quote\" \\ backslash\n"); io.write(("long "):rep(200):len(), "\n"); io.write(("x"):rep(3000):sub(1, 10), "\n")
for i = 1, 20 do io.write(i, i < 20 and "," or "\n") end
-- a table of lines, formatted
for _, r in ipairs { { "id", "name" }, { 1, "ann" }, { 22, "bob" } } do io.write(("%4s|%-6s|"):format(r[1], r[2]), "\n") end
-- standard error is another stream: nothing of it is in this output
print(io.stderr:write("to stderr, unseen here\n") == io.stderr, io.stderr ~= io.stdout); err(function() io.stderr:write(nil) end)
print(type(io.write), type(io.stdout), type(io.stderr), type(io.stdout.write))
