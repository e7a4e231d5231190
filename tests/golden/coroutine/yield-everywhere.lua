--- pass
--- true,1 | true,2 | true,true,r1,r2
--- true,y | true,false,e
--- true,deep | true,true,true,true,r1
--- true,x | true,false,h:e
--- true,in | true,out
--- true,add | true,sub | true,mul | true,div | true,mod | true,pow | true,idiv | true,r1,r2,r3,r4,r5,r6,r7
--- true,band | true,bor | true,bxor | true,shl | true,shr | true,bnot | true,unm | true,len | true,r1,r2,r3,r4,r5,r6,r7,r8
--- true,concat | true,concat | true,concat | true,r1,r2,r3
--- true,eq | true,eq | true,lt | true,le | true,lt | true,le | true,eq | true,true,false,true,true,true,true,false
--- true,index | true,index | true,call | true,index | false,golden:62: attempt to call a string value (method 'method')
--- true,newindex | true,newindex | true,set
--- true,lt | true,then
--- true,eq | true,eq | true,eq | true,2
--- true,concat | true,concat | true,sr1,ppr2
--- true,add | true,add | true,r1,r2,2
--- true,it | true,it | true,it | true,3
--- true,body | true,closing | true,after
--- true,closing | true,v1,v2
--- true,closing E | true,false,E
--- true,pairs | true,7 | true,end
--- true,false,attempt to yield across a C-call boundary
--- true,false,attempt to yield across a C-call boundary
--- true,false,attempt to yield across a C-call boundary
--- true,false,attempt to yield across a C-call boundary
--- true,true,nil,attempt to yield across a C-call boundary
--- true,inner1 | true,inner2 | true,outer
--- true,2,nil,nil | true,r1
--- true,bottom | true,r1
--- true,bottom | true,r1
--- true,direct | true,r1
--- true,1 | true,2 | true,3 | true,r2,r3
--- true,a | true,b | true,r1,r2
---
-- Manual 2.6, 4.5: yields across pcall, metamethods, iterators, closing and other calls.
local yield = coroutine.yield
local function run(f, ...)
  local co, out, args = coroutine.create(f), {}, table.pack(...)
  while true do
    local r = table.pack(coroutine.resume(co, table.unpack(args, 1, args.n)))
    for i = 1, r.n do r[i] = tostring(r[i]) end
    out[#out + 1] = table.concat(r, ",")
    if coroutine.status(co) == "dead" then break end
    args = table.pack("r" .. #out)
  end
  print(table.concat(out, " | "))
end
run(function() return pcall(function() return yield(1), yield(2) end) end)
run(function() return pcall(function() yield "y"; error("e", 0) end) end)
run(function() return pcall(pcall, pcall, yield, "deep") end)
run(function() return xpcall(function() yield "x"; error("e", 0) end, function(m) return "h:" .. m end) end)
run(function() local ok, m = pcall(function() local ok, m = pcall(error, "in", 0); yield(m); error("out", 0) end); return m end)
-- metamethods
local mt = {}
for _, ev in ipairs { "add", "sub", "mul", "div", "mod", "pow", "idiv", "band", "bor", "bxor", "shl", "shr", "concat", "unm", "bnot", "len", "call", "index", "eq", "lt", "le" } do mt["__" .. ev] = function(a, b) return yield(ev) end end
mt.__newindex = function(t, k, v) yield "newindex" end
local a, b = setmetatable({}, mt), setmetatable({}, mt)
run(function() return a + b, a - 1, 2 * a, a / b, a % b, a ^ b, a // b end)
run(function() return a & b, a | 1, 1 ~ a, a << b, a >> b, ~a, -a, #a end)
run(function() return a .. b, a .. "x", "x" .. a end)
run(function() return a == b, a ~= b, a < b, a <= b, a > b, a >= b, not (a == b) end)
run(function() return a.x, a[1], a(5), a:method() end)
run(function() a.x = 1; a[1] = 2; return "set" end)
run(function() if a < b then return "then" else return "else" end end)
run(function() local n = 0; while a == b and n < 2 do n = n + 1 end return n end)
run(function() return "s" .. a .. "t", ("p"):rep(2) .. (a .. a) end)
run(function() local t = { a + 1, a + 2 }; return t[1], t[2], #t end)
-- for iterators, closing, pairs
run(function() local s = 0; for i in function(_, c) yield("it"); c = (c or 0) + 1; if c < 3 then return c end end do s = s + i end return s end)
run(function() do local c <close> = setmetatable({}, { __close = function() yield "closing" end }); yield "body" end return "after" end)
run(function() local function f() local c <close> = setmetatable({}, { __close = function() yield "closing" end }); return "v1", "v2" end return f() end)
run(function() return pcall(function() local c <close> = setmetatable({}, { __close = function(_, e) yield("closing " .. e) end }); error("E", 0) end) end)
run(function() for k, v in pairs(setmetatable({}, { __pairs = function(t) yield "pairs"; return next, { 7 }, nil end })) do yield(v) end return "end" end)
-- table functions with metamethods, tostring and others in C cannot be crossed
run(function() return pcall(table.concat, setmetatable({}, { __len = function() return 1 end, __index = function() yield "no" end })) end)
run(function() return pcall(tostring, setmetatable({}, { __tostring = function() yield "no" end })) end)
run(function() return pcall(table.sort, { 2, 1 }, function() yield "no" end) end)
run(function() return pcall(string.gsub, "a", "a", function() yield "no" end) end)
run(function() return pcall(load, function() yield "no" end) end)
-- nested coroutines, tail calls, varargs
run(function() local inner = coroutine.wrap(function() yield "inner1"; yield "inner2" end); yield(inner()); yield(inner()); return "outer" end)
run(function(...) return yield(select("#", ...), ...) end, nil, nil)
run(function() local function f(n) if n == 0 then return yield "bottom" end return f(n - 1) end return f(100) end)
run(function() local function f(n) if n == 0 then return yield "bottom" end return (f(n - 1)) end return f(100) end)
run(yield, "direct")
run(function() return select(2, yield(1), yield(2), yield(3)) end)
run(function() return table.unpack({ yield("a"), yield("b") }) end)
