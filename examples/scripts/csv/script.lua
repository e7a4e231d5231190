-- Makes a CSV file (RFC 4180) of the items of an order.
local function cell(value)
    if value == nil or value == json.null then return "" end
    local text = tostring(value)
    -- A formula of a spreadsheet would be run by it.
    if type(value) == "string" and text:find("^[=+@-]") then text = "'" .. text end
    if text:find('[",\r\n]') then text = '"' .. text:gsub('"', '""') .. '"' end
    return text
end

local COLUMNS = { "sku", "name", "qty", "price" }
local rows = { table.concat(COLUMNS, ",") }
for _, item in ipairs(json.decode(payload).items) do
    local cells = {}
    for i, column in ipairs(COLUMNS) do
        cells[i] = cell(item[column])
    end
    rows[#rows + 1] = table.concat(cells, ",")
end
request.body = table.concat(rows, "\r\n") .. "\r\n"
request.headers["Content-Type"] = "text/csv; charset=utf-8"
