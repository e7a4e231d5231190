-- Pattern matching: find, gmatch and gsub over a page of text.
-- units: 40

local WORDS = { "apple", "river", "stone", "cloud", "x17", "lantern", "2024", "moss" }

local function page()
  local words, seed = {}, 42
  for i = 1, 1500 do
    seed = (seed * 1103515245 + 12345) & 0x7fffffff
    words[i] = WORDS[(seed >> 8) % #WORDS + 1] .. (i % 10 == 0 and ",\n" or " ")
  end
  return table.concat(words)
end

function bench(units)
  local text, sum = page(), 0
  for unit = 1, units do
    for word in text:gmatch("%a+") do
      sum = sum + #word
    end
    local replaced, count = text:gsub("(%a)(%a*)", function(first, rest)
      return first:upper() .. rest
    end)
    sum = sum + count + #replaced
    local _, digits = text:gsub("%d+", "<%0>")
    local _, named = text:gsub("%w+", { apple = "pear", moss = false })
    sum = sum + digits + named
    local at = 1
    while true do
      local from, to = text:find("l[aeiou]n.-%s", at)
      if not from then
        break
      end
      sum, at = sum + from % 97, to + 1
    end
    at = 1
    while true do
      local from, to = text:find("stone river", at, true)
      if not from then
        break
      end
      sum, at = sum + from % 89, to + 1
    end
    sum = (sum + unit) & 0x7fffffff
  end
  return sum
end
