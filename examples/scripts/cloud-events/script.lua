-- Wraps a payload as a CloudEvent (version 1.0, structured mode).
local is_json, data = pcall(json.decode, payload)
local event = {
    specversion = "1.0",
    id = metadata.webhook_id,
    source = "/configs/" .. metadata.config_id,
    type = headers["X-Event-Type"] or "webhook",
    time = metadata.created_at,
}
if is_json then
    event.datacontenttype = "application/json"
    event.data = data
else
    event.datacontenttype = headers["Content-Type"] or "application/octet-stream"
    event.data_base64 = base64.encode(payload)
end
request.body = json.encode(event)
request.headers["Content-Type"] = "application/cloudevents+json; charset=utf-8"
