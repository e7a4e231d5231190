--- pass
--- 0	integer	0
--- -0	integer	0
--- 7	integer	7
--- -7	integer	-7
--- 9007199254740993	integer	9007199254740993
--- -9007199254740993	integer	-9007199254740993
--- 9223372036854775807	integer	9223372036854775807
--- -9223372036854775808	integer	-9223372036854775808
--- 9223372036854775808	float	9.2233720368547758e+18
--- -9223372036854775809	float	-9.2233720368547758e+18
--- 18446744073709551616	float	1.8446744073709552e+19
--- 100000000000000000000000000000000000000000	float	1e+41
--- 1.0	float	1
--- -0.0	float	-0
--- 0e5	float	0
--- 1e2	float	100
--- 1E+2	float	100
--- 1e-2	float	0.01
--- 1.5e300	float	1.5000000000000001e+300
--- 0.1	float	0.10000000000000001
--- 123456789.125	float	123456789.125
--- 9007199254740993.0	float	9007199254740992
--- 9007199254740992.99999	float	9007199254740992
--- 2.2250738585072014e-308	float	2.2250738585072014e-308
--- 4.9e-324	float	4.9406564584124654e-324
--- 2.4703282292062327e-324	float	0
--- 1e-400	float	0
--- -1e-400	float	-0
--- 1.7976931348623157e308	float	1.7976931348623157e+308
--- 1.7976931348623158e308	float	1.7976931348623157e+308
--- true
--- true
--- true
--- true
--- 2
--- false	json: number too large for a float at line 1, column 1
--- false	json: number too large for a float at line 1, column 5
--- false	json: number too large for a float at line 1, column 1
--- +1	json: value expected at line 1, column 1
--- 01	json: end of text expected after the value at line 1, column 2
--- -01	json: end of text expected after the value at line 1, column 3
--- .5	json: value expected at line 1, column 1
--- 1.	json: malformed number at line 1, column 1
--- 1.e5	json: malformed number at line 1, column 1
--- 1e	json: malformed number at line 1, column 1
--- 1e+	json: malformed number at line 1, column 1
--- -	json: malformed number at line 1, column 1
--- --1	json: malformed number at line 1, column 1
--- 0x10	json: end of text expected after the value at line 1, column 2
--- 1_000	json: end of text expected after the value at line 1, column 2
--- 1f	json: end of text expected after the value at line 1, column 2
--- NaN	json: value expected at line 1, column 1
--- Infinity	json: value expected at line 1, column 1
--- -Infinity	json: malformed number at line 1, column 1
--- nan	json: value expected at line 1, column 1
--- inf	json: value expected at line 1, column 1
--- 1e5.5	json: end of text expected after the value at line 1, column 4
--- 1.2.3	json: end of text expected after the value at line 1, column 4
--- - 1	json: malformed number at line 1, column 1
--- 1 2	json: end of text expected after the value at line 1, column 3
--- 00	json: end of text expected after the value at line 1, column 2
--- 0.e1	json: malformed number at line 1, column 1
---
local json = require "json"

-- Without fraction and exponent: an integer, exact, if 64 bits hold it.
local function show(text)
  local value = json.decode(text)
  print(text, math.type(value), math.type(value) == "integer" and value or string.format("%.17g", value))
end
show("0")
show("-0")
show("7")
show("-7")
show("9007199254740993")
show("-9007199254740993")
show("9223372036854775807")
show("-9223372036854775808")

-- One more is a float, and so is everything with a fraction or an exponent.
show("9223372036854775808")
show("-9223372036854775809")
show("18446744073709551616")
show("100000000000000000000000000000000000000000")
show("1.0")
show("-0.0")
show("0e5")
show("1e2")
show("1E+2")
show("1e-2")
show("1.5e300")
show("0.1")
show("123456789.125")
-- Halfway cases round to even; the smallest numbers; too small is zero.
show("9007199254740993.0")
show("9007199254740992.99999")
show("2.2250738585072014e-308")
show("4.9e-324")
show("2.4703282292062327e-324")
show("1e-400")
show("-1e-400")
show("1.7976931348623157e308")
show("1.7976931348623158e308")

-- Long numerals.
print(json.decode("1." .. ("0"):rep(1000) .. "1") == 1.0)
print(json.decode(("9"):rep(300)) == tonumber(("9"):rep(300)))
print(json.decode("0." .. ("3"):rep(5000)) == 1 / 3)
print(json.decode("-" .. ("1"):rep(250) .. "e-249") == -tonumber("1." .. ("1"):rep(249)))
print(json.decode("[" .. ("5"):rep(300) .. "e-299,2]")[2])

-- What no float can hold is refused, not turned into infinity.
print(pcall(json.decode, "1e309"))
print(pcall(json.decode, "[1, -1e400]"))
print(pcall(json.decode, ("9"):rep(400)))

-- What Lua would read as a number, and JSON does not.
for _, text in ipairs { "+1", "01", "-01", ".5", "1.", "1.e5", "1e", "1e+", "-", "--1", "0x10", "1_000", "1f", "NaN",
  "Infinity", "-Infinity", "nan", "inf", "1e5.5", "1.2.3", "- 1", "1 2", "00", "0.e1" } do
  print(text, (select(2, pcall(json.decode, text))))
end
