-- Sends a flat document as a form, for endpoints that know nothing else.
local function escape(text)
    return (tostring(text):gsub("[^%w*._-]", function(c)
        return c == " " and "+" or ("%%%02X"):format(c:byte())
    end))
end

local fields = {}
for name, value in pairs(json.decode(payload)) do
    if type(value) == "table" then
        error("field " .. name .. " is not flat")
    elseif value ~= json.null then
        fields[#fields + 1] = escape(name) .. "=" .. escape(value)
    end
end
table.sort(fields)
request.body = table.concat(fields, "&")
request.headers["Content-Type"] = "application/x-www-form-urlencoded"
