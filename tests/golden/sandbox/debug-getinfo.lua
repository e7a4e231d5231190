--- pass
--- false	bad argument #2 to 'debug.getinfo' (options 'f', 'L' and 'r' are left out)
--- false	bad argument #2 to 'debug.getinfo' (options 'f', 'L' and 'r' are left out)
--- false	bad argument #2 to 'debug.getinfo' (options 'f', 'L' and 'r' are left out)
--- false	bad argument #2 to 'debug.getinfo' (options 'f', 'L' and 'r' are left out)
--- false	bad argument #2 to 'debug.getinfo' (options 'f', 'L' and 'r' are left out)
--- nil	nil	nil
---
-- The strict sandbox: debug.getinfo gives no functions and no tables of lines.
for _, what in ipairs { "f", "L", "r", "Slf", "nSlutfL" } do print(pcall(debug.getinfo, 1, what)) end
print(debug.getinfo(1).func, debug.getinfo(1).activelines, debug.getinfo(print).func)
