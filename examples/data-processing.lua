-- data-processing.lua: ten thousand orders, far more than fits comfortably into
-- the VM's 2 MiB, generated, indexed and summed up.
--
-- The rows live outside the VM. A loop over them holds one row at a time, so
-- memory stays where it was. The first run generates them; later runs find them.

local ROWS = 10000
local CUSTOMERS = 250
local orders = ext.table("orders")                   -- id -> order
local by_customer = ext.table("orders.by_customer")  -- customer -> { id, ... }

-- A small generator of our own: the same rows on every machine.
local seed = 20250720
local function random(n)
  seed = (seed * 1103515245 + 12345) % 2147483648
  return seed // 65536 % n + 1
end

local REGIONS = { "Crisium", "Imbrium", "Nubium", "Serenitatis", "Tranquillitatis" }
local PRODUCTS = {
  { "air filter", 1250 }, { "drill bit", 8900 }, { "ice, 1 kg", 340 },
  { "oxygen, 1 l", 95 }, { "rover tyre", 21500 }, { "solar cell", 4700 },
}

local function customer_name(number) return ("C%03d"):format(number) end

local function generate()
  -- Building the index in plain tables and storing it once costs one write
  -- per customer instead of one per order.
  local index = {}
  for id = 1, ROWS do
    local product = PRODUCTS[random(#PRODUCTS)]
    local customer = customer_name(random(CUSTOMERS))
    orders[id] = {
      customer = customer,
      region = REGIONS[random(#REGIONS)],
      product = product[1],
      quantity = random(12),
      cents = product[2],
    }
    index[customer] = index[customer] or {}
    table.insert(index[customer], id)
  end
  for number = 1, CUSTOMERS do
    local customer = customer_name(number)
    by_customer[customer] = index[customer]
  end
end

-- One pass: a group for each value of `field`, with its count and its sum.
local function sum_by(field)
  local groups, list = {}, {}
  for _, order in pairs(orders) do
    local name = order[field]
    local group = groups[name]
    if not group then
      group = { name = name, count = 0, cents = 0 }
      groups[name] = group
      list[#list + 1] = group
    end
    group.count = group.count + 1
    group.cents = group.cents + order.quantity * order.cents
  end
  table.sort(list, function(a, b)
    if a.cents ~= b.cents then return a.cents > b.cents end
    return a.name < b.name
  end)
  return list
end

-- 123456789 -> "1,234,567.89"
local function money(cents)
  local whole = tostring(cents // 100):reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^,", "")
  return ("%s.%02d"):format(whole, cents % 100)
end

local function report(title, groups, limit)
  print(("\n%-17s %7s %15s"):format(title, "orders", "sum"))
  print(("-"):rep(41))
  for i = 1, math.min(limit, #groups) do
    local group = groups[i]
    print(("%-17s %7d %15s"):format(group.name, group.count, money(group.cents)))
  end
end

if ext.count(orders) == ROWS then
  print(("%d orders were already here."):format(ROWS))
else
  ext.clear(orders)
  ext.clear(by_customer)
  generate()
  print(("%d orders generated."):format(ext.count(orders)))
end

report("Region", sum_by("region"), #REGIONS)
report("Product", sum_by("product"), #PRODUCTS)
local customers = sum_by("customer")
report("Top 5 customers", customers, 5)

-- The index finds one customer's orders without a pass over all the others.
local best = customers[1].name
local ids, largest = by_customer[best], nil
for _, id in ipairs(ids) do
  local order = orders[id]
  local cents = order.quantity * order.cents
  if not largest or cents > largest.cents then largest = { id = id, cents = cents, order = order } end
end
print(("\n%s ordered %d times; the largest is no. %d: %d x %s, %s"):format(
  best, #ids, largest.id, largest.order.quantity, largest.order.product, money(largest.cents)))

return ext.count(orders), ext.count(by_customer)
