-- Tells the gateway behind the endpoint where an event belongs, and takes away what it must not see.
local event = json.decode(payload)
local QUEUE = { ["order.created"] = "orders", ["order.paid"] = "billing", ["user.created"] = "crm" }

headers["X-Queue"] = QUEUE[event.type] or "other"
headers["X-Region"] = event.region or "eu"
headers["X-Priority"] = event.total and event.total > 1000 and 1 or 5
headers["X-Original-Type"] = headers["content-type"]
headers["X-Internal-Trace"] = nil
