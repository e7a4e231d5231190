-- Sends the fields that the endpoint has asked for, and no others.
local WANTED = { id = true, type = true, customer = { id = true, email = true }, items = { sku = true, qty = true } }

local function pick(value, wanted)
    if wanted == true or type(value) ~= "table" then return value end
    if #value > 0 then
        local list = json.array()
        for i, item in ipairs(value) do list[i] = pick(item, wanted) end
        return list
    end
    local result = {}
    for name, inner in pairs(wanted) do
        if value[name] ~= nil then result[name] = pick(value[name], inner) end
    end
    return result
end

request.body = json.encode(pick(json.decode(payload), WANTED))
