--- pass
--- [1,2.5,"x",true,{"a":1,"b":[]},"q\"\\\n\u0001"]
--- {"list":[1,2.5,-300,[]],"name":"Lua","nested":{"f":false,"s":"aé\n/","t":true}}
--- 3	x	-12	1000.0	nil	true	integer	float
--- value expected at byte 1
--- ',' or ']' expected at byte 5
--- ':' expected at byte 6
--- ',' or ']' expected at byte 4
--- unfinished string at byte 2
--- value expected at byte 1
--- value expected at byte 4
--- key expected at byte 2
--- end expected at byte 3
--- bad escape at byte 3
--- bad \u at byte 3
--- value expected at byte 1
--- false	no JSON for inf
--- false	no JSON for a function
--- {"deep":{"deeper":{"deepest":[1,[2,[3]]]}}}
---
-- A whole program: a JSON writer and reader in plain Lua, with its errors.
local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }
local function encode(v)
  local t = type(v)
  if t == "nil" then return "null"
  elseif t == "boolean" then return tostring(v)
  elseif t == "number" then
    if v ~= v or v == math.huge or v == -math.huge then error("no JSON for " .. tostring(v), 0) end
    return math.type(v) == "integer" and ("%d"):format(v) or ("%.14g"):format(v)
  elseif t == "string" then return '"' .. v:gsub('[%c"\\]', function(c) return escapes[c] or ("\\u%04x"):format(c:byte()) end) .. '"'
  elseif t == "table" then
    local out = {}
    if #v > 0 or next(v) == nil then
      for i, x in ipairs(v) do out[i] = encode(x) end
      return "[" .. table.concat(out, ",") .. "]"
    end
    for k, x in pairs(v) do out[#out + 1] = encode(tostring(k)) .. ":" .. encode(x) end
    table.sort(out)
    return "{" .. table.concat(out, ",") .. "}"
  end
  error("no JSON for a " .. t, 0)
end
local function decode(s)
  local pos = 1
  local function fail(what) error(("%s at byte %d"):format(what, pos), 0) end
  local function skip() pos = s:find("[^ \t\r\n]", pos) or #s + 1 end
  local value
  local function str()
    local out = {}
    pos = pos + 1
    while true do
      local a, b, chunk, stop = s:find('^([^"\\%c]*)(["\\])', pos)
      if not a then fail "unfinished string" end
      out[#out + 1] = chunk
      pos = b + 1
      if stop == '"' then return table.concat(out) end
      local e = s:sub(pos, pos)
      if e == "u" then
        local h = s:match("^%x%x%x%x", pos + 1) or fail "bad \\u"
        out[#out + 1] = utf8.char(tonumber(h, 16)); pos = pos + 5
      else
        out[#out + 1] = ({ b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/" })[e] or fail "bad escape"
        pos = pos + 1
      end
    end
  end
  local function sequence(close, item)
    pos = pos + 1; skip()
    if s:sub(pos, pos) == close then pos = pos + 1; return end
    while true do
      item(); skip()
      local c = s:sub(pos, pos)
      if c == close then pos = pos + 1; return elseif c ~= "," then fail("',' or '" .. close .. "' expected") end
      pos = pos + 1; skip()
    end
  end
  function value()
    skip()
    local c = s:sub(pos, pos)
    if c == '"' then return str()
    elseif c == "[" then local r = {}; sequence("]", function() r[#r + 1] = value() end); return r
    elseif c == "{" then
      local r = {}
      sequence("}", function()
        if s:sub(pos, pos) ~= '"' then fail "key expected" end
        local k = str(); skip()
        if s:sub(pos, pos) ~= ":" then fail "':' expected" end
        pos = pos + 1; r[k] = value()
      end)
      return r
    end
    for word, v in pairs { ["true"] = true, ["false"] = false } do if s:find("^" .. word, pos) then pos = pos + #word; return v end end
    if s:find("^null", pos) then pos = pos + 4; return nil end
    local num = s:match("^-?%d+%.?%d*[eE]?[+-]?%d*", pos)
    if not num or not tonumber(num) then fail "value expected" end
    pos = pos + #num
    return tonumber(num)
  end
  local v = value(); skip()
  if pos <= #s then fail "end expected" end
  return v
end
print(encode { 1, 2.5, "x", true, { a = 1, b = { } }, "q\"\\\n\1" })
print(encode(decode('{"name":"Lua","list":[1,2.50,-3e2,[]],"nested":{"t":true,"f":false,"s":"a\\u00e9\\n\\/"}}')))
print(decode("[1, 2, 3]")[3], decode(' "x" '), decode("-12"), decode("1e3"), decode("null"), decode("true"), math.type(decode("5")), math.type(decode("5.0")))
for _, bad in ipairs { "", "[1,2", "{\"a\" 1}", "[1 2]", "\"abc", "tru", "[1,]", "{a:1}", "1 2", "\"\\q\"", "\"\\u12\"", "nul" } do print((select(2, pcall(decode, bad)))) end
print(pcall(encode, { 1 / 0 })); print(pcall(encode, { print })); print(encode(decode(encode { deep = { deeper = { deepest = { 1, { 2, { 3 } } } } } })))
