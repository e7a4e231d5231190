-- Adds the customer's record to an order. Without it the order goes as it is: the endpoint can do without.
local order = json.decode(payload)

local ok, answer = pcall(http.get, "https://crm.example.com/customers/" .. order.customer_id)
if ok and answer.status_code == 200 then
    order.customer = json.decode(answer.body)
elseif ok then
    log.warn("no customer", { status = answer.status_code })
else
    log.warn("no customer", { reason = answer.type })
end
request.body = json.encode(order)
