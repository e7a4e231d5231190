-- Generator of random Lua programs, for comparisons: of machines, of builds, of ways to run a program. Returns a function
-- that makes the text of a program from a seed (an integer) and the text that every program begins with
-- (frame.lua). The same seed gives the same program everywhere.
--
-- A program is valid, its work is bounded, and most of its parts run without an error; but types change under way,
-- so that each operation also meets what it does not expect. Each statement has a line of its own, and what is
-- inside of it is indented by two blanks more: so whoever shrinks a program needs no parser.
--
-- How the bound is kept: every place in a program has a weight, the product of the loops around it; a
-- function costs the weights in it, and a call costs its function, times its own weight. Nothing is generated
-- that would cost more than is left.
local concat, format, unpack = table.concat, string.format, table.unpack

-- ---- numbers that only look random ----

local state

local function below(n)
  state = state * 6364136223846793005 + 1442695040888963407
  local high = state ~ (state >> 29)
  high = (high * -4658895280553007687) >> 33
  return high % n
end

local function pick(list)
  return #list > 0 and list[below(#list) + 1] or nil
end

local function chance(percent)
  return below(100) < percent
end

-- ---- the text under way ----

local out, depth, names

local function emit(text, ...)
  out[#out + 1] = ("  "):rep(depth) .. (select("#", ...) > 0 and format(text, ...) or text)
end

local function inner(body)
  depth = depth + 1
  body()
  depth = depth - 1
end

local function fresh(letter)
  names = names + 1
  return letter .. names
end

-- ---- what is visible, and what it costs ----

-- The function under way: `cost`, `budget`, `locals`, `vararg`, `coro` (it runs in a coroutine), `outer`. The place under
-- way: `weight`, `loops`.
local fn, weight, loops
-- Visible variables: name, kind, `const`, and of functions `cost`.
local vars
-- Functions, classes and weights of this program.
local functions, classes, wild, likes

local function left()
  return (fn.budget - fn.cost) // weight
end

local function spend(cost)
  fn.cost = fn.cost + cost * weight
end

local function declare(name, kind, more)
  local var = more or {}
  var.name, var.kind = name, kind
  vars[#vars + 1] = var
  fn.locals = fn.locals + 1
  return var
end

local function find(kind, accept)
  local found = {}
  for place = math.max(1, #vars - 40), #vars do
    local var = vars[place]
    if (var.kind == kind or kind == "any" and var.kind ~= "fun") and (not accept or accept(var)) then
      found[#found + 1] = var
    end
  end
  if #found == 0 then return nil end
  -- What is near is likelier.
  return found[#found - math.min(below(#found), below(#found))]
end

-- ---- expressions ----

local KINDS = { "int", "int", "int", "float", "float", "str", "bool", "arr", "obj", "nil" }
local INTEGERS = {
  "0", "1", "2", "3", "5", "7", "10", "31", "63", "64", "127", "128", "255", "256", "-1", "-2", "-7", "-128", "-129",
  "65535", "65536", "131071", "131072", "0x7fffffff", "0x80000000", "0xffffffff", "-2147483648", "9007199254740992",
  "9007199254740993", "math.maxinteger", "math.mininteger", "0x7ffffffffffffffe", "(math.mininteger + 1)",
}
local FLOATS = {
  "0.0", "-0.0", "0.5", "-0.5", "1.0", "2.0", "-1.0", "1.5", "0.1", "3.25", "-7.75", "100.0", "127.0", "-128.0", "1e15",
  "9007199254740992.0", "2^53", "2^63", "-2^63", "1e308", "-1e308", "5e-324", "1e100", "math.huge", "-math.huge",
  "(0/0)", "4294967296.0", "1e18", "9.2233720368547758e18",
}
local STRINGS = {
  '""', '"a"', '"b"', '"abc"', '"10"', '"-3"', '"0x10"', '" 7 "', '"1e2"', '"2.5"', '"nan"', '"x y"', '"\\0z"', '"\\xff"',
  '"name"', '"x"', '"9223372036854775807"', '"9223372036854775808"', '"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvw"',
}
local FIELDS = { "x", "y", "z", "w" }

local expr, arguments

local function constant(kind)
  if kind == "int" then
    return chance(60) and tostring(below(20) - 4) or pick(INTEGERS)
  elseif kind == "float" then
    return chance(50) and format("%d.%d", below(12) - 3, pick { 0, 0, 5, 25 }) or pick(FLOATS)
  elseif kind == "str" then
    return pick(STRINGS)
  elseif kind == "bool" then
    return pick { "true", "false" }
  elseif kind == "arr" then
    return pick { "{}", "{ 1, 2, 3 }", "{ 4.5, 2, 0.5, 9 }", "{ 3, nil, 1 }", '{ "b", "a" }', "{ 8, 7, 6, 5, 4, 3, 2, 1 }" }
  elseif kind == "obj" then
    return pick { "{ x = 1, y = 2 }", "{ x = 0.5, y = 1.5, z = 2 }", '{ name = "n", x = 3 }', "{ y = 1, x = 2, w = {} }" }
  elseif kind == "boxed" then
    return format("%s.make(%s)", chance(70) and "Quick" or "Slow", pick { "1", "2.5", "7", "0", "-3" })
  end
  return "nil"
end

local function variable(kind)
  local var = find(kind) or chance(5) and find("any")
  return var and var.name
end

local function leaf(kind)
  if kind == "num" then kind = pick { "int", "int", "float" } end
  if kind == "any" then kind = pick(KINDS) end
  return chance(75) and variable(kind) or constant(kind)
end

-- A variable of a kind, made first if none is there; it may be changed.
local function target(kind)
  local var = find(kind, function(var) return not var.const end)
  return var and var.name
end

local BINARY = { "+", "+", "+", "-", "-", "*", "*", "//", "%", "&", "|", "~", "<<", ">>", "/" }
local FLOATING = { "+", "-", "*", "/", "+", "-", "*", "/", "//", "%" }
local COMPARE = { "<", "<=", ">", ">=", "==", "~=" }

-- A call of one of the functions of the program that there is fuel for.
local function call(d)
  local usable = {}
  for _, each in ipairs(functions) do
    if each.cost <= left() then usable[#usable + 1] = each end
  end
  for place = math.max(1, #vars - 30), #vars do
    local var = vars[place]
    if var.kind == "fun" and var.cost <= left() then usable[#usable + 1] = var end
  end
  if #usable == 0 then return nil end
  local callee = pick(usable)
  spend(callee.cost)
  return format("%s(%s)", callee.name, arguments(callee.params or 2, d))
end

local function method(d)
  local usable = {}
  for _, class in ipairs(classes) do
    for _, each in ipairs(class.methods) do
      if each.cost <= left() then usable[#usable + 1] = { class, each } end
    end
  end
  if #usable == 0 then return nil end
  local class, called = unpack(pick(usable))
  spend(called.cost)
  local object = find("obj", function(var) return var.class == class end)
  if not object and chance(10) then object = find("obj") end
  return format("%s:%s(%s)", object and object.name or class.name .. ".new(" .. leaf("num") .. ")", called.name, arguments(2, d))
end

local function paren(text)
  return chance(85) and "(" .. text .. ")" or text
end

local function index(d)
  local arr = variable("arr")
  if not arr then return nil end
  local key = chance(60) and expr("int", d - 1) or leaf(pick { "int", "float", "str" })
  local got = format("%s[%s]", arr, key)
  return chance(80) and format("(%s or %s)", got, constant("int")) or got
end

local function field()
  local obj = variable("obj")
  if not obj then return nil end
  local got = format("%s.%s", obj, pick(FIELDS))
  return chance(70) and format("(%s or %s)", got, constant("int")) or got
end

local MAKERS = {}

MAKERS.int = {
  function(d) return paren(format("%s %s %s", expr("int", d), pick(BINARY), expr("int", d))) end,
  function(d) return paren(format("%s %s %s", expr("int", d), pick(BINARY), constant("int"))) end,
  function(d) return paren(format("%s %s %s", constant("int"), pick(BINARY), expr("int", d))) end,
  function(d) return paren(format("%s %s %s", expr("int", d), pick { "+", "-", "*" }, expr("int", d))) end,
  function(d) return format("%s(%s)", pick { "-", "~", "- -", "~ ~" }, expr("int", d)) end,
  function(d) return format("#%s", variable(pick { "arr", "str" }) or '"four"') end,
  function(d) return index(d) end,
  function(d) return field() end,
  function(d) return format("math.%s(%s)", pick { "abs", "floor", "ceil", "tointeger" }, expr("num", d)) end,
  function(d) return format("math.%s(%s, %s)", pick { "max", "min", "ult" }, expr("num", d), expr("num", d)) end,
  -- C leaves open which of two bad arguments is found first.
  function(d) return format("math.fmod(%s, %s)", expr("num", d), pick { "3", "-7", "2.5", "0.0", "math.huge" }) end,
  function(d) return paren(format("%s and %s or %s", expr("bool", d), expr("int", d), expr("int", d))) end,
  function(d) return format("(%s or 0)", pick { "tonumber", "math.tointeger" } .. "(" .. expr(pick { "str", "num" }, d) .. ")") end,
  function(d) return fn.vararg and "select('#', ...)" end,
  function(d) return fn.vararg and format("(select(%s, ...))", pick { "1", "2", "-1", leaf("int") }) end,
  function(d) return format("((%s):byte(%s) or %s)", leaf("str"), pick { "", "1", "-1", leaf("int") }, constant("int")) end,
  function(d) return call(d) end,
  function(d) return call(d) end,
  function(d) return method(d) end,
  function(d) local boxed = variable("boxed") return boxed and paren(format("%s %s %s", boxed, pick(BINARY), leaf("int"))) end,
  function(d) return fn.coro and format("coroutine.yield(%s)", expr("any", d)) end,
}

MAKERS.float = {
  function(d) return paren(format("%s %s %s", expr("float", d), pick(FLOATING), expr("num", d))) end,
  function(d) return paren(format("%s %s %s", expr("num", d), pick(FLOATING), expr("float", d))) end,
  function(d) return paren(format("%s %s %s", expr("float", d), pick(FLOATING), constant("float"))) end,
  function(d) return paren(format("%s %s %s", constant("int"), pick(FLOATING), expr("float", d))) end,
  function(d) return format("-(%s)", expr("float", d)) end,
  function(d) return format("%s ^ %s", paren(leaf("num")), pick { "2", "0.5", "-1", "3" }) end,
  function(d) return format("math.sqrt(%s)", expr("num", d)) end,
  function(d) return format("math.%s(%s, %s)", pick { "max", "min" }, expr("float", d), expr("num", d)) end,
  function(d) return index(d) end,
  function(d) return field() end,
  function(d) return call(d) end,
}

MAKERS.num = {
  function(d) return expr("int", d) end,
  function(d) return expr("float", d) end,
  function(d) return paren(format("%s %s %s", expr("num", d), pick(FLOATING), expr("num", d))) end,
  function(d) return index(d) or field() end,
}

MAKERS.bool = {
  function(d) return paren(format("%s %s %s", expr("int", d), pick(COMPARE), expr("int", d))) end,
  function(d) return paren(format("%s %s %s", expr("num", d), pick(COMPARE), expr("num", d))) end,
  function(d) return paren(format("%s %s %s", leaf("int"), pick(COMPARE), constant(pick { "int", "int", "float" }))) end,
  function(d) return paren(format("%s %s %s", leaf("num"), pick(COMPARE), constant(pick { "int", "float" }))) end,
  function(d) return paren(format("%s %s %s", expr("str", d), pick(COMPARE), expr("str", d))) end,
  function(d) return paren(format("%s %s %s", expr("any", d), pick { "==", "~=" }, expr("any", d))) end,
  function(d) return paren(format("%s %s %s", leaf("any"), pick { "==", "~=" }, constant(pick { "str", "nil", "bool", "int" }))) end,
  function(d) return paren(format("%s %s %s", expr("bool", d), pick { "and", "or" }, expr("bool", d))) end,
  function(d) return format("not %s", expr(pick { "bool", "any" }, d)) end,
  function(d) return format("rawequal(%s, %s)", leaf("any"), leaf("any")) end,
  function(d) local boxed = variable("boxed") return boxed and paren(format("%s %s %s", boxed, pick(COMPARE), expr("num", d))) end,
  function(d) return format('%s(%s) == "%s"', pick { "type", "math.type" }, leaf("any"), pick { "number", "integer", "float", "table", "string", "nil" }) end,
}

MAKERS.str = {
  function(d) return format("cut(%s .. %s)", expr("str", d), expr(pick { "str", "int" }, d)) end,
  function(d) return format("cut(%s .. %s .. %s)", expr("str", d), constant("str"), expr("str", d)) end,
  function(d) return format("(%s):sub(%s, %s)", expr("str", d), leaf("int"), leaf("int")) end,
  function(d) return format("(%s):%s()", expr("str", d), pick { "upper", "lower", "reverse" }) end,
  function(d) return format("text(%s)", expr("any", d)) end,
  function(d) return format('("%s"):format(%s)', pick { "%d", "%x", "<%5d>" }, leaf("int")) end,
  function(d) return format('cut(("%s"):format(text(%s)))', pick { "%s", "[%-5s]", "%q" }, leaf("str")) end,
  function(d) return format('cut(("%s"):format(%s))', pick { "%.3f", "%g", "%a" }, pick { "1.5", "0.1", "1e100", leaf("int") }) end,
  function(d) return format("cut((%s):rep(%d))", leaf("str"), below(3)) end,
  function(d) return format("string.char(65 + (%s) %% 26)", pick { "3", "25", variable("int") or "7" }) end,
  function(d) local arr = variable("arr") return arr and format("cut(table.concat(%s, %s))", arr, pick { '","', '""' }) end,
  function(d) return format("((%s):match(%s) or %s)", leaf("str"), pick { '"%a+"', '"(%d)"', '"^.-c"', '"[^a]*$"' }, constant("str")) end,
  function(d) local boxed = variable("boxed") return boxed and format("cut(%s .. %s)", boxed, leaf("str")) end,
}

MAKERS.arr = {
  function(d) return format("{ %s, %s }", expr("num", d), expr("num", d)) end,
  function(d) return format("{ %s }", call(d) or leaf("num")) end,
  function(d) return format("{ %s, %s }", leaf("num"), fn.vararg and "..." or method(d) or "9") end,
  function(d) return format("{ %s, [%s] = %s, %s = %s }", leaf("int"), leaf("int") .. " or 1", leaf("num"), pick(FIELDS), leaf("any")) end,
  function(d) return fn.vararg and "table.pack(...)" end,
  function(d) local arr = variable("arr") return arr and format("{ table.unpack(%s, 1, %d) }", arr, below(6)) end,
}

MAKERS.obj = {
  function(d) return format("{ x = %s, y = %s }", expr("num", d), expr("num", d)) end,
  function(d) return format("{ %s = %s, name = %s }", pick(FIELDS), expr("any", d), expr("str", d)) end,
  function(d) local class = pick(classes) return class and format("%s.new(%s)", class.name, leaf("num")) end,
  function(d) return format("setmetatable({ x = %s }, { __index = %s })", leaf("num"), variable("obj") or "{ y = 7 }") end,
}

MAKERS.boxed = {
  function(d) return format("%s.make(%s)", chance(75) and "Quick" or "Slow", expr("num", d)) end,
}

-- An expression, which nests `d` levels at most.
function expr(kind, d)
  if below(1000) < wild then kind = pick { "any", "str", "boxed", "nil" } end
  if kind == "any" then
    kind = pick(KINDS)
    if chance(20) then d = 0 end
  end
  local makers = MAKERS[kind]
  if d <= 0 or not makers or chance(25) then return leaf(kind) end
  return pick(makers)(d - 1) or leaf(kind)
end

function arguments(count, d)
  local given = {}
  count = chance(85) and count or below(4)
  for place = 1, count do given[place] = expr(chance(70) and "num" or "any", d - 1) end
  if fn.vararg and chance(15) then given[#given + 1] = "..." end
  return concat(given, ", ")
end

-- ---- blocks and functions ----

local statement

-- Statements that share a scope; `first` may declare what they see.
local function block(count, first, last)
  local seen, locals = #vars, fn.locals
  inner(function()
    if first then first() end
    for _ = 1, count do statement() end
    if last then last() end
  end)
  while #vars > seen do vars[#vars] = nil end
  fn.locals = locals
end

-- What is done `count` times; `apart` if it is no loop that `break` could leave.
local function times(count, body, apart)
  local before, outside = weight, loops
  weight, loops = weight * count, apart and 0 or loops + 1
  body()
  weight, loops = before, outside
end

-- The body of a function, between its head and its `end`, which are the caller's. Returns what it costs.
local function body(params, more)
  local outer, before, outside, seen = fn, weight, loops, #vars
  local budget = math.max(4, math.min(more.budget or 300, (outer.budget - outer.cost) // weight))
  fn = { cost = 1, budget = budget, locals = 0, outer = outer, vararg = more.vararg, coro = more.coro }
  weight, loops = 1, 0
  for place, name in ipairs(params) do
    declare(name, more.kinds and more.kinds[place] or pick { "int", "int", "float", "any" }, { const = name == more.const })
  end
  block(more.statements or 2 + below(4), more.first, more.last or function()
    if chance(90) then
      local results = {}
      for place = 1, pick { 1, 1, 1, 2, 3 } do results[place] = expr(chance(85) and "num" or "any", 2) end
      emit("return %s", concat(results, ", "))
    elseif chance(60) then
      emit("return %s", call(2) or fn.vararg and "..." or leaf("num"))
    end
  end)
  local cost = fn.cost
  fn, weight, loops = outer, before, outside
  while #vars > seen do vars[#vars] = nil end
  return cost
end

local function parameters()
  local params = {}
  for place = 1, 1 + below(3) do params[place] = fresh("p") end
  local vararg = chance(25)
  return params, vararg, concat(params, ", ") .. (vararg and ", ..." or "")
end

-- ---- statements ----

local function loop_count(most)
  local count = pick { 2, 3, 4, 6, 8, 12, 20, 40 }
  return math.max(1, math.min(count, most or 40, left() // 3))
end

local function assign(name, kind)
  emit("%s = %s", name, expr(kind, 3))
end

-- A step of a loop in which something is of another type than before.
local function turn(counter)
  local kind = pick { "int", "float", "str", "arr", "obj" }
  local name = target(kind)
  if not name then return end
  emit("if %s == %d then", counter, 1 + below(20))
  inner(function() assign(name, pick(KINDS)) end)
  emit("end")
end

local STATEMENTS = {}

function STATEMENTS.declare()
  if fn.locals > 60 then return end
  local kind = pick { "int", "int", "float", "str", "arr", "obj", "boxed", "bool" }
  local name = fresh("v")
  if kind == "obj" and #classes > 0 and chance(60) then
    local class = pick(classes)
    emit("local %s = %s.new(%s)", name, class.name, expr("num", 2))
    declare(name, "obj", { class = class })
  elseif chance(12) then
    emit("local %s <const> = %s", name, expr(kind, 3))
    declare(name, kind, { const = true })
  elseif chance(15) then
    local second = fresh("v")
    emit("local %s, %s = %s", name, second, pick { call(2) or "1", expr(kind, 2) .. ", " .. expr("num", 2), expr(kind, 2) })
    declare(name, kind)
    declare(second, "any")
  else
    emit("local %s = %s", name, expr(kind, 3))
    declare(name, kind)
  end
end

function STATEMENTS.assign()
  local kind = pick { "int", "int", "int", "float", "float", "str", "bool" }
  local name = target(kind)
  if not name then return STATEMENTS.declare() end
  local other = chance(15) and target(pick { "int", "float", "any" })
  if other and other ~= name then
    emit("%s, %s = %s, %s", name, other, pick { other, expr(kind, 2) }, pick { name, expr("num", 2) })
  else
    assign(name, kind)
  end
end

function STATEMENTS.accumulate()
  local kind = pick { "int", "int", "float" }
  local name = target(kind)
  if not name then return STATEMENTS.declare() end
  emit("%s = %s %s %s", name, name, pick(kind == "int" and BINARY or FLOATING), expr(chance(85) and kind or "num", 2))
end

function STATEMENTS.global()
  local name = pick { "g1", "g2", "g3" }
  emit("%s = %s", name, chance(50) and format("(%s or 0) + %s", name, leaf("num")) or expr("any", 2))
end

function STATEMENTS.set()
  local obj, arr = variable("obj"), variable("arr")
  if obj and chance(50) then
    emit("%s.%s = %s", obj, pick(FIELDS), expr(chance(80) and "num" or "any", 2))
  elseif arr then
    local key = pick { "#" .. arr .. " + 1", "#" .. arr .. " + 1", expr("int", 1), leaf("int"), leaf("float"), leaf("str"), "#" .. arr }
    emit("%s[%s] = %s", arr, key, chance(12) and "nil" or expr(chance(80) and "num" or "any", 2))
  else
    STATEMENTS.declare()
  end
end

function STATEMENTS.update()
  local obj = variable("obj")
  if not obj then return STATEMENTS.declare() end
  local name = pick(FIELDS)
  emit("%s.%s = (%s.%s or 0) %s %s", obj, name, obj, name, pick { "+", "-", "*" }, expr("num", 2))
end

STATEMENTS["if"] = function()
  emit("if %s then", expr("bool", 3))
  block(1 + below(2))
  for _ = 1, below(2) do
    emit("elseif %s then", expr("bool", 2))
    block(1)
  end
  if chance(50) then
    emit("else")
    block(1 + below(2))
  end
  emit("end")
end

STATEMENTS["for"] = function()
  local count = loop_count()
  local name = fresh("i")
  local head, kind = nil, "int"
  local way = below(12)
  if way < 5 then
    head = format("1, %d", count)
  elseif way == 5 then
    head = format("%d, 1, -1", count)
  elseif way == 6 then
    local step = pick { 2, 3, 7, -2, -5, 1000 }
    head = format("%d, %d, %d", 5, 5 + step * (count - 1), step)
  elseif way == 7 then
    head, kind = format("%s, %s, %s", "0.5", tostring(count - 1) .. ".75", pick { "1", "1.0", "0.5", "2" }), "float"
    count = count * 2
  elseif way == 8 then
    head = pick {
      "math.maxinteger - 3, math.maxinteger", "math.mininteger + 3, math.mininteger, -1", "math.maxinteger - 10, math.huge, 4",
      "math.mininteger, math.mininteger + 9, 3", "1, 0", "3, -math.huge, -1 << 62", "1, 3.9", "-1, -3.9, -1",
      "math.maxinteger, math.maxinteger", "1.0, 3", "1, 0/0", "1, 2, math.maxinteger", "0.1, 1, 0.3",
    }
    count = 12
    if left() < count then return end
  elseif way == 9 then
    head, count = format("bound(%s), bound(%s)", expr("num", 1), expr("num", 1)), 50
    if left() < count * 2 then return end
  elseif way == 10 then
    head, count = format("1, #(%s)", variable("arr") or '"loop"'), 16
    if left() < count * 2 then return end
  else
    head = pick { "1, 5, 0", '"1", 3', '1, "x"', "1, 3, {}", "nil, 1", format("1, %s", leaf("any")) }
    if not chance(15) then head = format("1, %d", count) end
    if head:find("^1, [%a(]") then head = format("1, bound(%s)", head:sub(4)) end
    count = 25
    if left() < count then return end
  end
  emit("for %s = %s do", name, head)
  times(count, function()
    block(1 + below(4), function()
      declare(name, kind, { const = chance(85) })
      if chance(35) then turn(name) end
      if chance(10) then emit("if %s == %d then break end", name, 1 + below(12)) end
    end)
  end)
  emit("end")
end

STATEMENTS["while"] = function()
  local count = loop_count()
  local name = fresh("n")
  emit("local %s = 0", name)
  declare(name, "int", { const = true })
  emit("while %s < %d%s do", name, count, chance(30) and " and (" .. expr("bool", 2) .. ")" or "")
  times(count, function()
    block(1 + below(4), function()
      emit("%s = %s + 1", name, name)
      if chance(35) then turn(name) end
    end)
  end)
  emit("end")
end

STATEMENTS["repeat"] = function()
  local count = loop_count()
  local name = fresh("n")
  emit("local %s = 0", name)
  declare(name, "int", { const = true })
  emit("repeat")
  local seen, locals = #vars, fn.locals
  times(count, function()
    inner(function()
      emit("%s = %s + 1", name, name)
      for _ = 1, 1 + below(3) do statement() end
    end)
    -- What is local in the body is visible here.
    emit("until %s >= %d%s", name, count, chance(50) and " or " .. expr("bool", 2) or "")
  end)
  while #vars > seen do vars[#vars] = nil end
  fn.locals = locals
end

-- A loop of `goto` alone, or one that goes on at a label.
STATEMENTS["goto"] = function()
  local count = loop_count()
  local name, label = fresh("n"), fresh("l")
  if chance(50) then
    emit("for %s = 1, %d do", name, count)
    times(count, function()
      block(1 + below(3), function()
        declare(name, "int", { const = true })
        emit("if %s then goto %s end", expr("bool", 2), label)
      end, function() emit("::%s::", label) end)
    end)
    emit("end")
  else
    emit("do")
    inner(function()
      emit("local %s = 0", name)
      emit("::%s::", label)
      emit("%s = %s + 1", name, name)
      emit("do")
      times(count, function()
        block(1 + below(3), function() declare(name, "int", { const = true }) end)
      end, true)
      emit("end")
      emit("if %s < %d then goto %s end", name, count, label)
    end)
    emit("end")
  end
end

STATEMENTS["in"] = function()
  local k, v, c = fresh("k"), fresh("v"), fresh("c")
  local count = loop_count(16)
  local way = below(7)
  local head
  if way <= 1 then
    local arr = variable(pick { "arr", "obj" })
    head = format("%s(%s)", pick { "pairs", "ipairs", "pairs" }, arr and "keyed(" .. arr .. ")" or "{ 5, 6, 7, x = 1 }")
    if arr and chance(20) then head = "next, keyed(" .. arr .. ")" end
  elseif way == 2 then
    head = format('(%s):gmatch("%s")', leaf("str"), pick { ".", "%a+", "(.)(.)" })
  elseif way == 3 then
    head = format("function(last, now) if now < last then return now + 1, now * %s end end, %d, 0", constant("num"), count)
  elseif way == 4 then
    head = format("coroutine.wrap(function() for n = 1, %d do coroutine.yield(n, %s) end end)", count, leaf("num"))
  elseif way == 5 then
    head = format("function(_, n) n = n + 1 if n <= %d then return n, %s end end, nil, 0, closer(%d)", count, leaf("num"), below(20))
  else
    head = format("setmetatable({}, { __call = function(self, _, n) if n < %d then return n + 1, self end end }), nil, 0", count)
  end
  emit("local %s = 0", c)
  declare(c, "int", { const = true })
  emit("for %s, %s in %s do", k, v, head)
  times(count, function()
    block(1 + below(3), function()
      declare(k, "any", { const = true })
      declare(v, "any")
      emit("%s = %s + 1", c, c)
      emit("if %s > %d then break end", c, count)
    end)
  end)
  emit("end")
end

STATEMENTS["do"] = function()
  emit("do")
  block(1 + below(3), function()
    if chance(60) then
      emit("local %s <close> = %s", fresh("c"), pick {
        format("closer(%d)", below(30)), format("closer(%d)", below(30)), format("closer(%d, %s)", below(30), pick(STRINGS)),
        "nil", "false", "Quick.make(1)",
      })
      fn.locals = fn.locals + 1
    end
  end)
  emit("end")
end

STATEMENTS["break"] = function()
  if loops == 0 then return STATEMENTS.note() end
  emit("if %s then %s end", expr("bool", 2), pick { "break", "break", format("return %s", expr("any", 2)) })
end

function STATEMENTS.note()
  spend(2)
  emit("note(%s)", expr(chance(70) and "num" or "any", 3))
end

function STATEMENTS.log()
  if weight > 40 then return STATEMENTS.note() end
  spend(10)
  emit("log(%s)", concat({ expr("any", 2), expr("any", 2), call(2) }, ", "))
end

function STATEMENTS.call()
  local called = call(3) or method(3)
  if not called then return STATEMENTS.note() end
  if chance(30) then
    local a, b, c = fresh("r"), fresh("r"), fresh("r")
    emit("local %s, %s, %s = %s", a, b, c, called)
    declare(a, "any")
    declare(b, "any")
    declare(c, "any")
  elseif chance(40) and weight <= 40 then
    emit("log(pcall(function(...) return %s end%s))", called, fn.vararg and ", ..." or "")
  else
    emit("note((%s))", called)
  end
end

function STATEMENTS.method()
  local called = method(3)
  if not called then return STATEMENTS.call() end
  emit("note((%s))", called)
end

-- Closures that share variables with each other and with the function under way.
function STATEMENTS.closure()
  if left() < 20 then return STATEMENTS.note() end
  local name = fresh("f")
  local params, vararg, list = parameters()
  emit("local function %s(%s)", name, list)
  local cost = body(params, { vararg = vararg, budget = 60, statements = 1 + below(3), coro = fn.coro and chance(60) })
  emit("end")
  declare(name, "fun", { cost = cost + 1, const = true, params = #params })
  STATEMENTS.call()
end

function STATEMENTS.protected()
  if left() < 12 then return STATEMENTS.note() end
  local way = below(4)
  spend(10)
  if way == 3 then
    emit("log(xpcall(function(...)")
  else
    emit("%s(pcall(function(...)", weight > 60 and "note" or "log")
  end
  local cost = body({}, { vararg = true, budget = 80, coro = fn.coro, statements = 1 + below(3), last = chance(40) and function()
    emit("error(%s)", pick { expr("any", 2), '"raised", ' .. below(3), leaf("str") .. ", 2", "{ x = 1 }", "nil" })
  end })
  spend(cost)
  if way == 3 then
    emit("end, %s, %s))", pick { "debug.traceback", "function(err) return text(err), 1 end", "function(err) return err + 1 end" }, leaf("any"))
  else
    emit("end, %s, %s))", leaf("any"), leaf("num"))
  end
end

function STATEMENTS.raise()
  emit("if %s then", expr("bool", 2))
  inner(function()
    emit(pick { "error(%s)", "error(%s, 0)", "error(%s, 2)", "assert(false, %s)", "assert(%s == 1)" }, expr(pick { "str", "any" }, 1))
  end)
  emit("end")
end

-- A function that calls itself, down to a depth.
function STATEMENTS.recursion()
  if left() < 60 then return STATEMENTS.note() end
  local name, n, a = fresh("f"), fresh("n"), fresh("p")
  local down = 3 + below(10)
  emit("local function %s(%s, %s)", name, n, a)
  local cost = body({ n, a }, {
    budget = 10,
    statements = 1 + below(2),
    kinds = { "int", pick { "int", "float", "any" } },
    const = n,
    first = function() emit("if %s <= 0 then return %s end", n, expr("num", 1)) end,
    last = function()
      emit(pick { "return %s(%s - 1, %s)", "return %s(%s - 1, %s) + 1", "return 1, %s(%s - 1, %s)", "return (%s(%s - 1, %s))" },
        name, n, expr("num", 1))
    end,
  })
  emit("end")
  spend(cost * down)
  emit("log(pcall(%s, %d, %s))", name, down, leaf("num"))
end

-- A function without an end, up to the limit of the stack.
function STATEMENTS.overflow()
  if weight > 1 or fn.outer or fn.overflowed then return STATEMENTS.recursion() end
  fn.overflowed = true
  local name, n = fresh("f"), fresh("n")
  emit("local %s = 0", n)
  declare(n, "int")
  emit("local function %s(a, b)", name)
  inner(function()
    emit("%s = %s + 1", n, n)
    emit(pick {
      "return 1 + %s(a + 1, b)", "local c = %s(b, a) return c", "return (%s(a, b))", "local t = { %s(a, b) } return t",
      "return setmetatable({}, { __index = function(_, k) return %s(k, 1) end }).x",
      "return select(2, pcall(%s, a, b)), 1", "table.sort({ 3, 1, 2 }, %s) return a",
      'return (("x"):gsub(".", %s))', "return coroutine.wrap(%s)(a, b)",
      "return setmetatable({}, { __add = %s }) + 1", "return tostring(setmetatable({}, { __tostring = %s }))",
    }, name)
  end)
  emit("end")
  local way = below(3)
  if way == 0 then
    emit("log(pcall(%s, 1, 2))", name)
  elseif way == 1 then
    emit("log(xpcall(%s, debug.traceback, 1, 2))", name)
  else
    emit("log(select('#', pcall(%s, 1, 2)))", name)
  end
  emit("log(%s > 10)", n)
end

function STATEMENTS.coroutine()
  if left() < 40 then return STATEMENTS.note() end
  local name, n = fresh("co"), fresh("n")
  local wrapped = chance(50)
  local vararg = chance(30)
  local param = fresh("p")
  emit("local %s = coroutine.%s(function(%s%s)", name, wrapped and "wrap" or "create", param, vararg and ", ..." or "")
  local cost = body({ param }, { coro = true, vararg = vararg, budget = 200, statements = 2 + below(3) })
  emit("end)")
  fn.locals = fn.locals + 1
  spend(cost + 10)
  emit("for %s = 1, %d do", n, 3 + below(12))
  inner(function()
    if wrapped then
      emit("local ok, a, b = pcall(%s, %s)", name, leaf("num"))
    else
      emit("local ok, a, b = coroutine.resume(%s, %s)", name, leaf("num"))
    end
    emit(weight > 20 and "note(a)" or "log(ok, a, b)")
    if chance(10) then emit("if %s == 3 then note(%s) end", n, leaf("num")) end
    emit("if not ok then break end")
  end)
  emit("end")
  if not wrapped then
    emit("log(coroutine.status(%s), coroutine.close(%s))", name, name)
  end
end

function STATEMENTS.sort()
  if left() < 60 then return STATEMENTS.note() end
  spend(50)
  local arr = target("arr")
  local name = fresh("t")
  emit("local %s = { %s }", name, concat({ leaf("num"), leaf("num"), constant("int"), constant("float"), arr and format("table.unpack(%s, 1, 12)", arr) }, ", "))
  declare(name, "arr")
  local way = below(4)
  if way == 0 then
    emit("log(pcall(table.sort, %s))", name)
  elseif way == 1 then
    emit("log(pcall(table.sort, %s, function(a, b) return %s end))", name, pick { "a > b", "a < b", "a * 2 < b * 2", "(a or 0) > (b or 0)" })
  else
    emit("log(pcall(table.sort, %s, function(a, b)", name)
    local cost = body({ "a", "b" }, { budget = 8, statements = 1, coro = fn.coro and chance(20), last = function()
      emit("return %s", pick { "a < b", "a > b", expr("bool", 2) })
    end })
    emit("end))")
    spend(cost * 20)
  end
  emit("note(%s[1]) note(%s[2])", name, name)
end

function STATEMENTS.library()
  spend(5)
  local arr = target("arr") or "{ 1, 2, 3 }"
  local way = below(8)
  if way == 0 then
    emit("table.insert(%s, %s)", arr, pick { leaf("num"), "1, " .. leaf("num"), leaf("int") .. ", 5" })
  elseif way == 1 then
    emit("note((table.remove(%s%s)))", arr, pick { "", "", ", 1", ", " .. leaf("int") })
  elseif way == 2 then
    emit("log(pcall(table.unpack, %s, 1, %s))", arr, pick { "3", "2", "bound(" .. leaf("num") .. ")" })
  elseif way == 3 then
    emit("note(#table.move(%s, 1, %d, %d))", arr, below(5), 1 + below(5))
  elseif way == 4 then
    emit("log(next(keyed(%s)), rawlen(%s), rawget(%s, %s))", arr, arr, arr, leaf("any"))
  elseif way == 5 then
    emit("log(pcall(string.rep, %s, %s))", leaf("str"), pick { "2", "-1", "bound(" .. leaf("num") .. ")" })
  elseif way == 6 then
    emit("log(pcall(setmetatable, %s, %s))", leaf("any"), pick { "nil", "{}", "{ __metatable = 1 }" })
  else
    emit("note((pcall(rawset, %s, %s, %s)))", arr, leaf("any"), leaf("num"))
  end
end

function STATEMENTS.gsub()
  if left() < 40 then return STATEMENTS.note() end
  spend(10)
  emit("log(pcall(string.gsub, %s, %s, function(a, b)", leaf("str"), pick { '"."', '"%w+"', '"(.)(.)"', '"()"', '"%d*"' })
  local cost = body({ "a", "b" }, { budget = 6, statements = 1, kinds = { "str", "str" }, last = function()
    emit("return %s", pick { "nil", "false", "a .. a", expr("str", 1), expr("any", 1) })
  end })
  emit("end))")
  spend(cost * 10)
end

-- A table gets other metamethods while it is in use.
function STATEMENTS.metatable()
  if left() < 60 then return STATEMENTS.note() end
  local obj = variable("obj")
  if not obj then return STATEMENTS.declare() end
  local event = pick {
    "__index", "__index", "__newindex", "__add", "__eq", "__lt", "__le", "__concat", "__len", "__call", "__unm", "__mod", "__idiv",
    "__band", "__shl", "__bnot",
  }
  if event == "__index" and chance(50) then
    emit("setmetatable(%s, { __index = %s })", obj, pick { variable("obj") or "{}", "Quick", pick(classes).name, "{ x = 5 }" })
    return
  elseif event == "__newindex" and chance(40) then
    emit("setmetatable(%s, { __newindex = {} })", obj)
    return
  end
  emit("setmetatable(%s, { %s = function(a, b, c)", obj, event)
  local first = event == "__index" and "if b == 'x' then return 1 end" or event == "__newindex" and "rawset(a, b, c)"
  body({ "a", "b", "c" }, { budget = 6, statements = 1, kinds = { "any", "any", "any" }, first = first and function() emit(first) end })
  emit("end })")
  if event ~= "__index" and event ~= "__newindex" then
    local use = { __eq = "note(%s == %s)", __len = "note(#%s)", __call = "note(%s(1))", __unm = "note(-%s)", __bnot = "note(~%s)",
      __add = "note(%s + 1)", __lt = "note(%s < 1)", __le = "note(2 <= %s)", __concat = "note(%s .. 'c')", __mod = "note(%s %% 2)",
      __idiv = "note(1 // %s)", __band = "note(%s & 1)", __shl = "note(%s << 1)" }
    emit("pcall(function() " .. use[event] .. " end)", obj, leaf("obj"))
  end
end

function STATEMENTS.box()
  local boxed = variable("boxed")
  if not boxed then
    local name = fresh("v")
    emit("local %s = %s", name, constant("boxed"))
    declare(name, "boxed")
    boxed = name
  end
  spend(6)
  emit(pick {
    "note(%s + %s)", "note(%s - %s)", "note(%s * %s)", "note(%s / %s)", "note(%s // %s)", "note(%s %% %s)", "note(%s & %s)",
    "note(%s << %s)", "note(%s .. %s)", "note(%s < %s)", "note(%s <= %s)", "note(%s == %s)", "note(%s(%s))", "note(%s[%s])",
    "%s.v = %s", "note(%s:get(%s))", "note(%s ^ %s)", "note(#%s + %s)", "note(-%s - %s)", "note(~%s | %s)",
  }, boxed, leaf(pick { "num", "num", "int", "boxed" }))
end

-- Locals of a loop that closures keep, and change later.
function STATEMENTS.capture()
  if left() < 60 then return STATEMENTS.note() end
  local list, name, v = fresh("t"), fresh("i"), fresh("v")
  local count = 2 + below(4)
  emit("local %s = {}", list)
  emit("for %s = 1, %d do", name, count)
  times(count, function()
    block(0, function()
      declare(name, "int", { const = true })
      emit("local %s = %s", v, expr("num", 1))
      emit("%s[%s] = function(d) %s = %s + (d or 1) return %s end", list, name, v, v, v)
      declare(v, pick { "int", "float" })
      emit("note(%s[%s](%s))", list, name, leaf("num"))
      statement()
    end)
  end)
  emit("end")
  emit("for %s = 1, %d do note(%s[%s]()) end", name, count, list, name)
  spend(count * 3)
end

function STATEMENTS.environment()
  emit("do")
  inner(function()
    emit("local _ENV <const> = setmetatable({ g1 = %s }, { __index = _G })", leaf("num"))
    emit("g2 = (g1 or 0) .. '.'")
    emit("g1 = 2")
    emit("log(g1, g2)")
  end)
  emit("end")
end

function STATEMENTS.vararg()
  if not fn.vararg then return STATEMENTS.note() end
  emit(pick {
    "log(select('#', ...), ...)", "local %s = ... note(%s)", "note(select('#', table.unpack({ ... })))",
    "for %s = 1, select('#', ...) do note((select(%s, ...))) end", "local %s = { n = 0, ... } note(#%s)",
  }, (function() local name = fresh("v") return name, name end)())
end

local LIKES = {
  declare = 10, assign = 10, accumulate = 14, global = 3, set = 9, update = 5, ["if"] = 8, ["for"] = 12, ["while"] = 5, ["repeat"] = 4,
  ["goto"] = 4, ["in"] = 5, ["do"] = 3, ["break"] = 3, note = 5, log = 3, call = 8, method = 5, closure = 4, protected = 3,
  raise = 2, recursion = 2, overflow = 1, coroutine = 3, sort = 2, library = 3, gsub = 1, metatable = 2, box = 5, capture = 2,
  environment = 1, vararg = 2,
}
local KNOWN = {}
for name in pairs(LIKES) do KNOWN[#KNOWN + 1] = name end
table.sort(KNOWN)

local COMPOUND = {
  ["for"] = true, ["while"] = true, ["repeat"] = true, ["goto"] = true, ["in"] = true, closure = true, coroutine = true, sort = true,
  protected = true, recursion = true, capture = true, metatable = true, gsub = true, ["if"] = true, ["do"] = true,
}

function statement()
  if left() < 2 then return end
  spend(1)
  local name
  repeat name = pick(likes) until not (COMPOUND[name] and (depth > 7 or left() < 6))
  STATEMENTS[name]()
end

-- ---- a program ----

-- Each program likes other statements: what all do a little of, none does much of.
local function choose_likes()
  likes = {}
  for _, name in ipairs(KNOWN) do
    local factor = pick { 0, 1, 1, 1, 4 }
    if name == "declare" or name == "note" then factor = math.max(factor, 1) end
    for _ = 1, LIKES[name] * factor do likes[#likes + 1] = name end
  end
end

local function class()
  local name = fresh("C")
  local parent = #classes > 0 and chance(60) and pick(classes)
  emit("local %s = {}", name)
  if parent and chance(30) then
    emit("%s.__index = function(self, key) note(key) return rawget(%s, key) or %s[key] end", name, name, parent.name)
  else
    emit("%s.__index = %s", name, name)
  end
  if parent then emit("setmetatable(%s, { __index = %s })", name, parent.name) end
  emit("function %s.new(x) return setmetatable({ x = x, y = 1, name = %q }, %s) end", name, name, name)
  local made = { name = name, methods = {} }
  if parent then
    for _, each in ipairs(parent.methods) do made.methods[#made.methods + 1] = each end
  end
  for _ = 1, 1 + below(2) do
    local called = fresh("m")
    emit("function %s:%s(a, b)", name, called)
    local cost = body({ "a", "b" }, { budget = 40, statements = 1 + below(3), first = function() declare("self", "obj", { const = true }) end })
    emit("end")
    made.methods[#made.methods + 1] = { name = called, cost = cost + 2 }
  end
  classes[#classes + 1] = made
end

local function top_function()
  local name = fresh("F")
  local params, vararg, list = parameters()
  local global = chance(25)
  emit("%sfunction %s(%s)", global and "" or "local ", name, list)
  local cost = body(params, { vararg = vararg, budget = pick { 60, 200, 600, 1500 }, statements = 3 + below(6) })
  emit("end")
  functions[#functions + 1] = { name = name, params = #params, cost = cost + 1 }
end

-- A call of a function, whose arguments are of a kind, but for some that are the counter of the loop around.
local function one_call(callee, kind, counter)
  local given = {}
  for place = 1, callee.params do given[place] = chance(40) and counter or expr(kind, 1) end
  local list = concat(given, ", ")
  local rest = #list > 0 and ", " .. list or ""
  local way = below(6)
  if way == 0 then
    emit("note((%s(%s)))", callee.name, list)
  elseif way == 1 then
    emit("local a, b, c = %s(%s)", callee.name, list)
    emit("note(c or b or a)")
  elseif way <= 3 then
    emit("log(pcall(%s%s))", callee.name, rest)
  elseif way == 4 then
    emit("log(xpcall(%s, debug.traceback%s))", callee.name, rest)
  else
    emit("local ok, a, b = pcall(function(...) return %s(%s) end, 1, 2.5)", callee.name, list)
    emit("note(ok and a or text(a))")
  end
end

-- Calls of a function in phases: what it gets is of one type for a while, then of another.
local function drive(callee)
  local phases = {}
  for place = 1, 2 + below(4) do
    phases[place] = pick { "int", "int", "float", "num", "str", "any", "boxed", "arr", "obj", "nil" }
  end
  for _, kind in ipairs(phases) do
    local count = math.max(1, math.min(pick { 2, 5, 20, 60, 150 }, left() // (callee.cost + 4)))
    local name = fresh("i")
    -- An argument that raises ends its phase.
    emit("log(pcall(function(...)")
    inner(function()
      emit("for %s = 1, %d do", name, count)
      times(count, function()
        block(0, function()
          declare(name, "int", { const = true })
          spend(callee.cost + 4)
          one_call(callee, kind, name)
        end)
      end)
      emit("end")
    end)
    emit("end, 1, 2.5))")
  end
end

-- Returns the text of the program that belongs to a seed.
local function generate(seed, frame)
  state = seed
  for _ = 1, 4 do below(2) end
  out, depth, names = {}, 0, 0
  fn, weight, loops = { cost = 0, budget = 400, locals = 0, vararg = true }, 1, 0
  vars, functions, classes = {}, {}, {}
  wild = pick { 0, 5, 20, 60 }
  choose_likes()
  local lines = frame:gsub("\n+$", "")
  out[1] = lines
  emit("g1, g2, g3 = 1, 2.5, 0")
  -- What functions share.
  for _ = 1, 2 + below(3) do
    local kind = pick { "int", "float", "arr", "obj", "str" }
    local name = fresh("u")
    emit("local %s = %s", name, constant(kind))
    declare(name, kind)
  end
  for _ = 1, 1 + below(3) do class() end
  for _ = 1, 2 + below(4) do top_function() end
  fn.cost, fn.budget = 0, 12000
  for _, callee in ipairs(functions) do drive(callee) end
  for _ = 1, 1 + below(6) do
    emit("log(pcall(function(...)")
    block(1 + below(3))
    emit("end, %s))", leaf("any"))
  end
  emit('print("sum", sum)')
  -- Some end with an error that nobody catches.
  if chance(15) then emit("return %s", call(2) or "nil + 1") else emit("return sum, %s", leaf("num")) end
  return concat(out, "\n") .. "\n"
end

return generate
