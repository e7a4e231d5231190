--- pass
--- 0
--- 1
--- 3
--- a	b	c
--- b	c
--- c
--- 0	0
--- c
--- a	b	c
--- b
--- b	b
--- bad argument #1 to 'select' (number expected, got no value)
--- bad argument #1 to 'select' (index out of range)
--- bad argument #1 to 'select' (index out of range)
--- bad argument #1 to 'select' (index out of range)
--- bad argument #1 to 'select' (index out of range)
--- bad argument #1 to 'select' (number expected, got string)
--- bad argument #1 to 'select' (number has no integer representation)
--- bad argument #1 to 'select' (number expected, got nil)
--- bad argument #1 to 'select' (number expected, got table)
--- false	bad argument #1 to 'select' (index out of range)
--- 0
--- 3	y	nil
--- 0	6	0.5
---
-- Manual 6.1: select.
local function err(f, ...) print((select(2, pcall(f, ...)))) end
print(select("#")); print(select("#", nil)); print(select("#", 1, nil, nil))
print(select(1, "a", "b", "c")); print(select(2, "a", "b", "c")); print(select(3, "a", "b", "c"))
print(select("#", select(4, "a", "b", "c")), select("#", select(100, 1)))
print(select(-1, "a", "b", "c")); print(select(-3, "a", "b", "c")); print((select(-2, "a", "b", "c")))
print(select("2", "a", "b"), select(2.0, "a", "b"))
err(select); err(select, 0); err(select, 0, 1); err(select, -1); err(select, -2, "a"); err(select, "x"); err(select, 1.5, 1); err(select, nil); err(select, {}, 1)
print(pcall(select, math.mininteger, 1))
print(select("#", select(math.maxinteger, 1)))
local function last(...) return (select(-1, ...)) end
local function nth(n, ...) return (select(n, ...)) end
print(last(1, 2, 3), nth(2, "x", "y", "z"), nth(1))
local function sum(...) local s = 0; for i = 1, select("#", ...) do s = s + select(i, ...) end return s end
print(sum(), sum(1, 2, 3), sum(10, -10, 0.5))
