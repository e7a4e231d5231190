--- pass
--- 1 2 3 
--- 1 3 5 
--- found	2	2
--- f
--- 11	12	21	31
--- closed
--- true	false	true	true	false
--- g:1: no visible label 'nowhere' for <goto> at line 1
--- g:1: no visible label 'inner' for <goto> at line 1
--- g:1: <goto l> at line 1 jumps into the scope of local 'a'
--- g:1: label 'a' already defined on line 1
--- g:1: label 'l' already defined on line 1
--- g:1: no visible label 'out' for <goto> at line 1
--- g:1: <name> expected near '='
--- g:1: <name> expected near '1'
--- g:1: '::' expected near <eof>
--- g:1: <goto cont> at line 1 jumps into the scope of local 'xuxu'
--- g:1: break outside loop at line 1
--- g:1: break outside loop at line 1
--- g:1: break outside loop at line 1
--- g:1: break outside loop at line 1
--- nil	true
---
-- Manual 3.3.4: goto and labels.
do
  local i = 1
  ::top::
  if i <= 3 then io.write(i, " "); i = i + 1; goto top end
  print()
end
-- continue
for i = 1, 6 do
  if i % 2 == 0 then goto continue end
  io.write(i, " ")
  ::continue::
end
print()
-- the void statements after a label at the end of a block: no local is entered
do
  goto done
  local x = 1
  ::done:: ;;
end
-- out of nested loops
for i = 1, 3 do
  for j = 1, 3 do
    if i * j == 4 then print("found", i, j); goto found end
  end
end
::found::
-- the same label name in separate blocks and functions; nested blocks see outer labels
do ::l:: end
do ::l:: end
local function f() ::l:: return "f" end
print(f())
-- a backward goto makes fresh locals: closures of each round are different
local fs, k = {}, 1
::again::
do
  local v = k * 10
  fs[k] = function() v = v + 1; return v end
end
k = k + 1
if k <= 3 then goto again end
print(fs[1](), fs[1](), fs[2](), fs[3]())
-- goto leaves scopes: to-be-closed variables are closed
do
  local c <close> = setmetatable({}, { __close = function() print("closed") end })
  goto after
end
::after::
-- a state machine
local function accepts(s)
  local i = 0
  ::even:: i = i + 1
  if i > #s then return true end
  if s:sub(i, i) == "a" then goto odd end
  goto even
  ::odd:: i = i + 1
  if i > #s then return false end
  if s:sub(i, i) == "a" then goto even end
  goto odd
end
print(accepts(""), accepts("a"), accepts("baab"), accepts("aba"), accepts("aaab"))
-- what does not compile
local function bad(src) print((select(2, load(src, "=g")))) end
bad "goto nowhere"
bad "do ::inner:: end goto inner"
bad "goto l; local a; ::l:: print(a)"
bad "::a:: do ::a:: end"
bad "::l:: ::l::"
bad "local function f() goto out end ::out::"
bad "goto = 1"
bad "goto 1"
bad "::x"
bad "repeat if x then goto cont end; local xuxu = 10; ::cont:: until xuxu < x"
bad "break"
bad "do break end"
bad "while true do end break"
bad "for i = 1, 2 do local f = function() break end end"
print(load("break = 1"), load "local goto1 = 1" ~= nil)
