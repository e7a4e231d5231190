-- state-machine.lua: the life of an order, from placed to delivered.
--
-- The machine is data: states, the events each of them takes, and a guard where
-- an event needs a reason to be taken. Where an order stands, and how it came
-- there, is kept in external tables: stop the program anywhere, reload the page,
-- and the next run goes on from that very state.

local machine = ext.table("machine")          -- the order and its state
local history = ext.table("machine.history")  -- every step, in order

-- Guards return true, or nil and why not.
local function fully_paid(order)
  if order.paid >= order.price then return true end
  return nil, ("%d of %d paid"):format(order.paid, order.price)
end

local function may_try_again(order)
  if order.attempts < 3 then return true end
  return nil, "three attempts were made"
end

-- Actions change the order; the machine stores it.
local function pay(order, amount) order.paid = order.paid + amount end
local function attempt(order) order.attempts = order.attempts + 1 end

local STATES = {
  placed    = { payment = { to = "placed", action = pay },
                confirm = { to = "paid", guard = fully_paid },
                cancel  = { to = "cancelled" } },
  paid      = { pack    = { to = "packed" },
                cancel  = { to = "refunded" } },
  packed    = { ship    = { to = "underway" } },
  underway  = { nobody_home = { to = "underway", guard = may_try_again, action = attempt },
                hand_over   = { to = "delivered" },
                give_up     = { to = "refunded" } },
  delivered = {}, cancelled = {}, refunded = {},
}

-- True, or nil and why the event was not taken. Order, state and history change
-- together: an error in an action would take all three back.
local function send(event, argument)
  local from = machine.state
  local rule = STATES[from][event]
  if not rule then return nil, ("%s does not take it"):format(from) end
  local order = machine.order
  if rule.guard then
    local ok, reason = rule.guard(order)
    if not ok then return nil, reason end
  end
  ext.transaction(function()
    if rule.action then rule.action(order, argument) end
    machine.order = order
    machine.state = rule.to
    table.insert(history, { order = order.number, event = event, from = from, to = rule.to })
  end)
  return true
end

local function is_final(state) return next(STATES[state]) == nil end

-- What the world has in store for an order; each run plays the next few events.
local EVENTS = {
  { "confirm" }, { "payment", 30 }, { "pack" }, { "payment", 45 },
  { "confirm" }, { "pack" }, { "payment", 5 }, { "ship" },
  { "nobody_home" }, { "nobody_home" }, { "cancel" }, { "hand_over" },
}
local EVENTS_PER_RUN = 4

local function start(number)
  machine.order = { number = number, price = 75, paid = 0, attempts = 0 }
  machine.state = "placed"
  machine.position = 0
end

if not machine.state then
  start(1)
  print("No order yet: order 1 was placed.")
elseif is_final(machine.state) then
  local done = machine.order.number
  print(("Order %d was %s."):format(done, machine.state))
  start(done + 1)
  print(("Order %d was placed."):format(done + 1))
else
  print(("Order %d goes on where it stood: %s."):format(machine.order.number, machine.state))
end

print()
for _ = 1, EVENTS_PER_RUN do
  if is_final(machine.state) then break end
  machine.position = machine.position + 1
  local event, argument = table.unpack(EVENTS[machine.position])
  local from = machine.state
  local ok, reason = send(event, argument)
  local shown = argument and ("%s %d"):format(event, argument) or event
  print(("  %-12s %s"):format(shown, ok and ("%s -> %s"):format(from, machine.state) or "refused: " .. reason))
end

local order = machine.order
print(("\nOrder %d is %s; %d of %d paid."):format(order.number, machine.state, order.paid, order.price))
print(("%d steps in the history%s."):format(#history, is_final(machine.state) and ", and the order is closed" or ""))

return machine.state, order
