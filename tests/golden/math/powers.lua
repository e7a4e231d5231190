--- pass
--- 0
--- true	true	true	true
---
-- Powers of ten are the numbers that their literals say.
local wrong = 0
for k = -22, 22 do if 10.0 ^ k ~= tonumber("1e" .. k) then wrong = wrong + 1 end end
print(wrong)
print(math.exp(1) == 2.718281828459045, 2 ^ 0.5 == math.sqrt(2), 2 ^ -1074 > 0, 3 ^ 40 == 12157665459056928801)
