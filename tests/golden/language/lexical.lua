--- pass
--- 1	2	3	4	5	6	false
--- And	END	goto1	nil_
--- 1	2	3	4
--- 2	2.5
--- true	7	-6	20	1	false	true	false	52
--- 3	1	1
--- 1
--- 1	nil	3
--- lex:1: unexpected symbol near '='
--- lex:1: unexpected symbol near '@'
--- lex:1: unexpected symbol near '$'
--- lex:1: unexpected symbol near '<\1>'
--- lex:1: unexpected symbol near ''b''
--- lex:1: <name> expected near '1'
--- lex:1: unexpected symbol near <eof>
--- lex:1: <name> expected near 'end'
--- lex:1: unexpected symbol near '}'
--- lex:1: unexpected symbol near '~='
--- lex:1: syntax error near '.1'
--- lex:1: syntax error near <eof>
--- lex:1: unexpected symbol near '...'
--- lex:1: unexpected symbol near '!'
--- lex:1: 'then' expected near '!'
--- lex:1: unexpected symbol near '<\195>'
--- lex:1: unknown attribute 'foo'
--- lex:1: unfinished string near <eof>
--- lex:1: <eof> expected near 'y'
--- lex:1: hexadecimal digit expected near '"\x"'
--- lex:1: ',' expected near 'do'
--- lex:1: 'in' expected near '='
--- lex:1: <name> expected near '1'
--- lex:2: unexpected symbol near <eof>
--- lex:5: 'end' expected (to close 'if' at line 4) near <eof>
--- lex:1: ')' expected near ','
--- lex:1: '}' expected near <eof>
--- lex:1: label 'a' already defined on line 1
--- lex:1: break outside loop at line 1
--- lex:1: '(' expected near '.'
--- lex:1: syntax error near '='
--- lex:1: syntax error near '='
--- lex:1: function arguments expected near '='
--- lex:1: '=' expected near <eof>
--- lex:1: unexpected symbol near '1'
--- lex:1: unexpected symbol near ''s''
--- lex:1: <eof> expected near '2'
---
-- Manual 3.1: names, reserved words, tokens.
local _, _a, a1, A, abc_D9, _1 = 1, 2, 3, 4, 5, 6
print(_, _a, a1, A, abc_D9, _1, a == A)
local And, END, goto1, nil_ = "And", "END", "goto1", "nil_"
print(And, END, goto1, nil_)
for w in ("and break do else elseif end false for function goto if in local nil not or repeat return then true until while"):gmatch "%a+" do
  if load("local " .. w .. " = 1") then print("not reserved: " .. w) end
  if load("local t = {}; t." .. w .. " = 1") then print("usable as field: " .. w) end
  if not load("local t = {}; t['" .. w .. "'] = 1") then print("not usable as string: " .. w) end
end
-- const and close are no reserved words
local const, close, attrib, self = 1, 2, 3, 4
print(const, close, attrib, self)
-- the longest token wins; white space is free
local x=5 local y=2
print(x//y,x/y)goto l1
print("skipped")
::l1:: print(x~=y,x~y,~x,x<<y,x>>y,x<=y,x>=y,x==y,x..y)
print(({ 1, 2; 3, 4; })[3], #{ 1, }, #{ 1; })
;;; local z = 1;;; print(z);
local a <const>, b<close>,c < const > = 1, nil, 3 print(a, b, c)
local function near(src) print((select(2, load(src, "=lex")))) end
near "x = 1 = 2"
near "x = @"
near "x = 1 $ 2"
near "x = \1"
near "x = 'a' 'b'"
near "local 1 = 2"
near "x ="
near "local end"
near "x = }"
near "return ~="
near "a.1 = 2"
near "x = 5 y"
near "x = a..b...c"
near "x = !a"
near "if x != 1 then end"
near "\xc3\xa4 = 1"
near "local x <foo> = 1"
near "x = 'unfinished"
near "x = 1; return; y = 2"
near "x = \"\\x\""
near "for i = 1 do end"
near "for i, j = 1, 2 do end"
near "for 1 = 1, 2 do end"
near "f(\n"
near "do\n\n\nif x then\n"
near "function f(a, ..., b) end"
near "x = {1, 2"
near "::a:: ::a::"
near "break"
near "local function t.x() end"
near "x() = 1"
near "(x) = 1"
near "x:y = 1"
near "x, y"
near "1 + 1"
near "'s':len()"
near "return ..., 1 2"
