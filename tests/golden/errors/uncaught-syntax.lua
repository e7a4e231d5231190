--- fail: golden:9: 'end' expected (to close 'while' at line 6) near 'else'
---
-- A chunk that does not compile runs not at all: nothing is printed.
print("never, since the whole chunk is compiled first")
local function g(x)
  while x do
    if x then
      x = nil
    end else
  end
end
