--- pass
--- 1000	1000
--- 1000	1000
--- 143
--- nil	0
--- 11	-10	10	5
--- max	min	big	-big	half	nil	16
--- 10	500	491	nil
--- -1	2	0	1	nil	nil
--- 20	26	40	52
--- 1 2 3 4 5
--- 1 2 3 5 7 8 9
--- true	true	true	3	true	true
--- {[1]=1,[2]="two",[3]={[0x1.4p+1]="f",["x"]=true},["n"]=-0x0p+0}
--- true
--- print	t	yes	no	yes	nil
---
-- Tables as the one structure: arrays, lists, queues, sets, matrices, graphs, and their growth.
local function count(t) local n = 0; for _ in pairs(t) do n = n + 1 end return n end
-- growing in order, backwards, sparse and by removing
local t = {}; for i = 1, 1000 do t[i] = i end print(#t, count(t)); t = {}; for i = 1000, 1, -1 do t[i] = i end print(#t, count(t)); t = {}; for i = 1, 1000, 7 do t[i] = i end print(count(t)); for i = 1, 1000, 7 do t[i] = nil end print(next(t), #t)
-- integer and float keys meet, huge and negative keys are like others
t = {}; for i = -5, 5 do t[i] = i end for i = -5, 5 do t[i + 0.0] = t[i] * 2 end print(count(t), t[-5], t[5], #t); t[math.maxinteger] = "max"; t[math.mininteger] = "min"; t[1e300] = "big"; t[-1e300] = "-big"; t[0.5] = "half"; print(t[math.maxinteger], t[math.mininteger], t[1e300], t[-1e300], t[0.5], t[2^63], count(t))
-- removing while growing elsewhere
t = {}; for i = 1, 500 do t["k" .. i] = i; if i > 10 then t["k" .. i - 10] = nil end end print(count(t), t.k500, t.k491, t.k490)
-- a double queue
local Q = { first = 0, last = -1 }
function Q:pushl(v) self.first = self.first - 1; self[self.first] = v end
function Q:pushr(v) self.last = self.last + 1; self[self.last] = v end
function Q:popl() if self.first > self.last then return nil end local v = self[self.first]; self[self.first] = nil; self.first = self.first + 1; return v end
function Q:popr() if self.first > self.last then return nil end local v = self[self.last]; self[self.last] = nil; self.last = self.last - 1; return v end
Q:pushr(1); Q:pushr(2); Q:pushl(0); Q:pushl(-1); print(Q:popl(), Q:popr(), Q:popl(), Q:popl(), Q:popl(), Q:popr())
-- matrices
local function matrix(n, m, f) local r = {}; for i = 1, n do r[i] = {}; for j = 1, m do r[i][j] = f(i, j) end end return r end
local A, B = matrix(2, 3, function(i, j) return i * j end), matrix(3, 2, function(i, j) return i + j end)
local C = matrix(2, 2, function(i, j) local s = 0; for k = 1, 3 do s = s + A[i][k] * B[k][j] end return s end); print(C[1][1], C[1][2], C[2][1], C[2][2])
-- linked list, reversed; a heap
local list; for i = 1, 5 do list = { v = i, next = list } end local r; while list do list, list.next, r = list.next, r, list end local out = {}; while r do out[#out + 1] = r.v; r = r.next end print(table.concat(out, " "))
local heap = {}
local function push(v) heap[#heap + 1] = v; local i = #heap; while i > 1 and heap[i // 2] > heap[i] do heap[i], heap[i // 2] = heap[i // 2], heap[i]; i = i // 2 end end
local function pop() local top = heap[1]; heap[1] = heap[#heap]; heap[#heap] = nil; local i = 1; while true do local c = 2 * i; if c > #heap then break end if c < #heap and heap[c + 1] < heap[c] then c = c + 1 end if heap[i] <= heap[c] then break end heap[i], heap[c] = heap[c], heap[i]; i = c end return top end
for _, v in ipairs { 5, 3, 8, 1, 9, 2, 7 } do push(v) end out = {}; while #heap > 0 do out[#out + 1] = pop() end print(table.concat(out, " "))
-- deep copy and deep comparison with cycles
local function copy(o, seen) if type(o) ~= "table" then return o end seen = seen or {}; if seen[o] then return seen[o] end local c = {}; seen[o] = c; for k, v in next, o do c[copy(k, seen)] = copy(v, seen) end return setmetatable(c, getmetatable(o)) end
local g = { 1, { 2, 3 }, name = "g" }; g.self = g; g.pair = { g[2], g[2] }; local h = copy(g); print(h ~= g, h.self == h, h[2] ~= g[2], h[2][2], h.pair[1] == h.pair[2], h.pair[1] == h[2])
-- serializing in a fixed order
local function ser(o) if type(o) ~= "table" then return ("%q"):format(o) end local ks, r = {}, {}; for k in pairs(o) do ks[#ks + 1] = k end table.sort(ks, function(a, b) return tostring(a) < tostring(b) end); for _, k in ipairs(ks) do r[#r + 1] = "[" .. ser(k) .. "]=" .. ser(o[k]) end return "{" .. table.concat(r, ",") .. "}" end
local s = ser { 1, "two", { x = true, [2.5] = "f" }, n = -0.0 }; print(s); print(ser(load("return " .. s)()) == s)
-- functions, tables and booleans as keys
local fk = { [print] = "print", [t] = "t", [true] = "yes", [false] = "no" }; print(fk[print], fk[t], fk[true], fk[false], fk[1 == 1], fk[{}])
