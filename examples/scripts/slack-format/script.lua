-- Makes a message for a Slack incoming webhook of an alert.
local alert = json.decode(payload)
local ICON = { critical = ":rotating_light:", warning = ":warning:" }

-- Slack's own escapes: nothing that an alert says becomes a link or a mention.
local function escape(text)
    return (tostring(text):gsub("[&<>]", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;" }))
end

local fields = json.array()
for name, value in pairs(alert.labels or {}) do
    fields[#fields + 1] = { type = "mrkdwn", text = "*" .. escape(name) .. "*\n" .. escape(value) }
end
table.sort(fields, function(a, b) return a.text < b.text end)

local icon = ICON[alert.severity] or ":information_source:"
local text = icon .. " *" .. escape(alert.title) .. "*"
local blocks = { { type = "section", text = { type = "mrkdwn", text = text } } }
if #fields > 0 then
    blocks[2] = { type = "section", fields = fields }
end
request.body = json.encode({ text = text, blocks = blocks })
config.opt_out_default_headers = true
