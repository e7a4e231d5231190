--- pass
--- 2	4	40
--- 1023
--- 168
--- 6 28 496 
--- 3	3	2	0
--- 0	7	9	20	20	11
--- 265252859812191058636308480000000
--- 1606938044258990275541962092341162602522202993782792835301376
--- 55	12586269025	2880067194370816120	-6246583658587674878
--- 414fa339
--- 11e60398
--- 	Zg==	Zm8=	Zm9v	Zm9vYmFy	AP8B
--- MCMXCIV	MMXXIV	XLIX	MMMCMXCIX
---
-- Whole programs: classic algorithms, each with an answer known beforehand.
-- eight queens
local function queens(n)
  local count, rows, d1, d2 = 0, {}, {}, {}
  local function place(c)
    if c > n then count = count + 1; return end
    for r = 1, n do
      if not rows[r] and not d1[r + c] and not d2[r - c] then
        rows[r], d1[r + c], d2[r - c] = true, true, true
        place(c + 1)
        rows[r], d1[r + c], d2[r - c] = nil, nil, nil
      end
    end
  end
  place(1)
  return count
end
print(queens(4), queens(6), queens(7))
-- towers of Hanoi, sieve, perfect numbers
local moves = 0
local function hanoi(n, a, b, c) if n > 0 then hanoi(n - 1, a, c, b); moves = moves + 1; hanoi(n - 1, c, b, a) end end
hanoi(10, "a", "b", "c"); print(moves)
local composite, primes = {}, 0
for i = 2, 1000 do if not composite[i] then primes = primes + 1; for j = i * i, 1000, i do composite[j] = true end end end
print(primes)
for n = 2, 500 do local s = 1; for d = 2, n // 2 do if n % d == 0 then s = s + d end end if s == n then io.write(n, " ") end end print()
-- edit distance, longest common subsequence
local function distance(a, b)
  local prev = {}
  for j = 0, #b do prev[j] = j end
  for i = 1, #a do
    local cur = { [0] = i }
    for j = 1, #b do cur[j] = math.min(prev[j] + 1, cur[j - 1] + 1, prev[j - 1] + (a:byte(i) == b:byte(j) and 0 or 1)) end
    prev = cur
  end
  return prev[#b]
end
print(distance("kitten", "sitting"), distance("", "abc"), distance("flaw", "lawn"), distance("same", "same"))
-- shortest paths
local graph = { a = { b = 7, c = 9, f = 14 }, b = { a = 7, c = 10, d = 15 }, c = { a = 9, b = 10, d = 11, f = 2 }, d = { b = 15, c = 11, e = 6 }, e = { d = 6, f = 9 }, f = { a = 14, c = 2, e = 9 } }
local dist, done = { a = 0 }, {}
while true do
  local best
  for n, d in pairs(dist) do if not done[n] and (not best or d < dist[best]) then best = n end end
  if not best then break end
  done[best] = true
  for n, w in pairs(graph[best]) do if not dist[n] or dist[best] + w < dist[n] then dist[n] = dist[best] + w end end
end
print(dist.a, dist.b, dist.c, dist.d, dist.e, dist.f)
-- big numbers: 30! and 2^200 by hand, Fibonacci by matrix
local function mul(digits, k) local carry = 0; for i = 1, #digits do local v = digits[i] * k + carry; digits[i] = v % 10; carry = v // 10 end while carry > 0 do digits[#digits + 1] = carry % 10; carry = carry // 10 end return digits end
local function text(d) return table.concat(d):reverse() end
local f = { 1 }; for i = 2, 30 do mul(f, i) end print(text(f)); local p = { 1 }; for _ = 1, 200 do mul(p, 2) end print(text(p))
local function matmul(a, b) return { a[1] * b[1] + a[2] * b[3], a[1] * b[2] + a[2] * b[4], a[3] * b[1] + a[4] * b[3], a[3] * b[2] + a[4] * b[4] } end
local function fib(n) local r, m = { 1, 0, 0, 1 }, { 1, 1, 1, 0 }; while n > 0 do if n & 1 == 1 then r = matmul(r, m) end m = matmul(m, m); n = n >> 1 end return r[2] end
print(fib(10), fib(50), fib(90), fib(93))
-- CRC-32, Adler-32, base64, roman numerals
local crc = 0xffffffff
for c in ("The quick brown fox jumps over the lazy dog"):gmatch "." do crc = crc ~ c:byte(); for _ = 1, 8 do crc = crc >> 1 ~ (crc & 1 == 1 and 0xedb88320 or 0) end end
print(("%08x"):format(~crc & 0xffffffff))
local a, b = 1, 0; for c in ("Wikipedia"):gmatch "." do a = (a + c:byte()) % 65521; b = (b + a) % 65521 end print(("%08x"):format(b << 16 | a))
local abc = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local function b64(s) return (s:gsub("..?.?", function(g) local x, y, z = g:byte(1, 3); local n = x << 16 | (y or 0) << 8 | (z or 0); local r = ""; for i = 0, 3 do local v = n >> (18 - 6 * i) & 63; r = r .. (i > #g and "=" or abc:sub(v + 1, v + 1)) end return r end)) end
print(b64 "", b64 "f", b64 "fo", b64 "foo", b64 "foobar", b64 "\0\255\1")
local function roman(n) local r = ""; for _, p in ipairs { { 1000, "M" }, { 900, "CM" }, { 500, "D" }, { 400, "CD" }, { 100, "C" }, { 90, "XC" }, { 50, "L" }, { 40, "XL" }, { 10, "X" }, { 9, "IX" }, { 5, "V" }, { 4, "IV" }, { 1, "I" } } do while n >= p[1] do r = r .. p[2]; n = n - p[1] end end return r end
print(roman(1994), roman(2024), roman(49), roman(3999))
