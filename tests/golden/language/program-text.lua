--- pass
--- lua=4 the=4 page=3 as=2 tables=2 alive=1
--- 01|Perilune keeps one Lua state alive as long as the page, | 55
--- 02|and its tables live longer than the page does.          | 46
--- 03|The page may close; the tables stay. Lua, Lua, Lua!     | 51
--- [Perilune keeps one Lua state]
--- [alive as long as the page, and]
--- [its tables live longer than]
--- [the page does. The page may]
--- [close; the tables stay. Lua,]
--- [Lua, Lua!]
--- a|b,c||d "quoted" e|5	1	2	3
--- Hello World! 1, 2, 3.
--- 1 + 2 * 3	true	7
--- (1 + 2) * 3	true	9
--- 2 ^ 3 ^ 2	true	512.0
--- 10 / 4 - 1.5	true	1.0
--- -(2 + 3) * -2	true	10
--- 7 % 4 + .5	true	3.5
--- (1	false	')' expected
--- 1 +	false	number expected near nil
--- 1 2	false	unexpected 2
--- Uryyb, Jbeyq
--- true false 
--- a3 b4 c1 d1
---
-- Whole programs: working on text.
local text = [[
Perilune keeps one Lua state alive as long as the page,
and its tables live longer than the page does.
The page may close; the tables stay. Lua, Lua, Lua!
]]
-- word counts, sorted by count and then by name
local count = {}
for w in text:gmatch "%a+" do w = w:lower(); count[w] = (count[w] or 0) + 1 end
local words = {}
for w in pairs(count) do words[#words + 1] = w end
table.sort(words, function(a, b) return count[a] > count[b] or count[a] == count[b] and a < b end)
for i = 1, 6 do io.write(words[i], "=", count[words[i]], i < 6 and " " or "\n") end
-- lines, justified and numbered
local n = 0
for line in text:gmatch "([^\n]*)\n" do n = n + 1; print(("%02d|%-56s|%3d"):format(n, line, #line)) end
-- wrapping to a width
local function wrap(s, width)
  local out, line = {}, ""
  for w in s:gmatch "%S+" do
    if #line + #w + 1 > width and line ~= "" then out[#out + 1] = line; line = w else line = line == "" and w or line .. " " .. w end
  end
  out[#out + 1] = line
  return out
end
for _, l in ipairs(wrap(text, 30)) do print("[" .. l .. "]") end
-- CSV with quotes
local function csv(line)
  local fields, pos = {}, 1
  while true do
    if line:sub(pos, pos) == '"' then
      local buf = ""
      repeat
        local a, b, part = line:find('^"([^"]*)"', pos)
        buf = buf .. (buf ~= "" and '"' or "") .. part
        pos = b + 1
      until line:sub(pos, pos) ~= '"'
      fields[#fields + 1] = buf
    else
      local a, b, part = line:find("^([^,]*)", pos)
      fields[#fields + 1] = part
      pos = b + 1
    end
    if line:sub(pos, pos) ~= "," then return fields end
    pos = pos + 1
  end
end
print(table.concat(csv 'a,"b,c",,"d ""quoted"" e",5', "|"), #csv "", #csv ",", #csv "x,y,")
-- a template engine by load
local function template(src)
  local parts = { "local _out = {} local function put(s) _out[#_out + 1] = tostring(s) end " }
  local pos = 1
  while true do
    local a, b, kind, code = src:find("<%%(=?)(.-)%%>", pos)
    parts[#parts + 1] = ("put %q "):format(src:sub(pos, (a or 0) - 1))
    if not a then break end
    parts[#parts + 1] = kind == "=" and "put(" .. code .. ") " or code .. " "
    pos = b + 1
  end
  parts[#parts + 1] = "return table.concat(_out)"
  local code = table.concat(parts)
  return function(env) return assert(load(code, "=template", "t", setmetatable(env, { __index = _G })))() end
end
print(template "Hello <%= name %>!<% for i = 1, n do %> <%= i %><% if i < n then %>,<% end %><% end %>." { name = "World", n = 3 })
-- a calculator: recursive descent over gmatch tokens
local function calc(s)
  local tokens, i = {}, 1
  for num, op in s:gmatch "%s*(%d*%.?%d*)([-+*/^()%%]?)" do if num ~= "" then tokens[#tokens + 1] = tonumber(num) end if op ~= "" then tokens[#tokens + 1] = op end end
  local expr
  local function atom()
    local t = tokens[i]; i = i + 1
    if t == "(" then local v = expr(); if tokens[i] ~= ")" then error("')' expected", 0) end i = i + 1; return v end
    if t == "-" then return -atom() end
    if type(t) ~= "number" then error("number expected near " .. tostring(t), 0) end
    return t
  end
  local function power() local b = atom(); if tokens[i] == "^" then i = i + 1; return b ^ power() end return b end
  local function term() local v = power(); while tokens[i] == "*" or tokens[i] == "/" or tokens[i] == "%" do local op = tokens[i]; i = i + 1; local r = power(); v = op == "*" and v * r or op == "/" and v / r or op == "%" and v % r end return v end
  function expr() local v = term(); while tokens[i] == "+" or tokens[i] == "-" do local op = tokens[i]; i = i + 1; local r = term(); v = op == "+" and v + r or v - r end return v end
  local v = expr()
  if tokens[i] then error("unexpected " .. tokens[i], 0) end
  return v
end
for _, e in ipairs { "1 + 2 * 3", "(1 + 2) * 3", "2 ^ 3 ^ 2", "10 / 4 - 1.5", "-(2 + 3) * -2", "7 % 4 + .5", "(1", "1 +", "1 2" } do print(e, pcall(calc, e)) end
-- caesar, palindromes, run lengths, title case
print((("Hello, World"):gsub("%a", function(c) local b = c:match "%l" and 97 or 65; return string.char((c:byte() - b + 13) % 26 + b) end)))
for _, p in ipairs { "A man, a plan, a canal: Panama", "not one" } do local s = p:lower():gsub("%A", ""); io.write(tostring(s == s:reverse()), " ") end print()
local runs, at = {}, 1
while at <= 9 do local c = ("aaabbbbcd"):sub(at, at); local _, stop = ("aaabbbbcd"):find("^" .. c .. "+", at); runs[#runs + 1] = c .. stop - at + 1; at = stop + 1 end
print(table.concat(runs, " "))
