-- ok
local x = math.mininteger // -1
x = math.mininteger % -1
x = 1 << 64
x = math.maxinteger + 1
