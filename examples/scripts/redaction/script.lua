-- Takes personal data out of a payload, however deep it lies.
local SECRET = { password = true, ssn = true, card_number = true, token = true }

local function mask(text)
    text = text:gsub("[%w._+-]+@[%w-]+%.[%w.-]+", "[email]")
    -- Thirteen to nineteen digits, with spaces or dashes between them.
    return (text:gsub("%d[%d -]+%d", function(number)
        local digits = number:gsub("%D", "")
        if #digits >= 13 and #digits <= 19 then return "[card " .. digits:sub(-4) .. "]" end
    end))
end

local function clean(value)
    if type(value) == "string" then return mask(value) end
    if type(value) ~= "table" then return value end
    for key, item in pairs(value) do
        if SECRET[key] then
            value[key] = "[redacted]"
        else
            value[key] = clean(item)
        end
    end
    return value
end

request.body = json.encode(clean(json.decode(payload)))
