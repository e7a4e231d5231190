-- Brings every version of a payload to the one that the endpoint knows, and refuses what it does not know itself.
local document = json.decode(payload)

local upgrade = {
    -- Version 2 split the name.
    [1] = function(d)
        d.first_name, d.last_name = d.name:match("^(%S+)%s+(.+)$")
        d.first_name = d.first_name or d.name
        d.name = nil
    end,
    -- Version 3 counts cents.
    [2] = function(d)
        d.total_cents = math.floor(d.total * 100 + 0.5)
        d.total = nil
    end,
}

local version = document.version or 1
while upgrade[version] do
    upgrade[version](document)
    version = version + 1
end
if version ~= 3 then
    error("version " .. tostring(document.version) .. " is not known")
end
document.version = 3
request.body = json.encode(document)
