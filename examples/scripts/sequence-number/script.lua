-- Numbers the webhooks of a config. A retry keeps the number that its first attempt got.
local mine = "number:" .. metadata.webhook_id
local number = kv.get(mine)
if not number then
    number = tostring(math.tointeger(kv.get("last") or 0) + 1)
    kv.set("last", number, 30 * 24 * 3600)
    kv.set(mine, number, 24 * 3600)
end
request.headers["X-Sequence"] = number
