-- Many small live tables: complete binary trees, built and walked.
-- units: 16

local function build(depth)
  if depth == 0 then
    return {}
  end
  return { build(depth - 1), build(depth - 1) }
end

local function count(tree)
  local left = tree[1]
  if left then
    return 1 + count(left) + count(tree[2])
  end
  return 1
end

function bench(units)
  local kept, sum = build(10), 0
  for _ = 1, units do
    for depth = 4, 10, 2 do
      for _ = 1, 1 << (12 - depth) do
        sum = sum + count(build(depth))
      end
    end
  end
  return sum + count(kept)
end
