-- Sends an access token that is fetched once and kept until shortly before it expires.
local TOKEN_URL = "https://auth.example.com/token"
local MARGIN_SECONDS = 60

local token = kv.get("token")
if not token then
    local answer = http.get(TOKEN_URL)
    if answer.status_code ~= 200 then
        error("the token server answered " .. answer.status_code)
    end
    local grant = json.decode(answer.body)
    token = grant.access_token
    -- A token that is about to expire is used once and not kept.
    local seconds = grant.expires_in - MARGIN_SECONDS
    if seconds > 0 then
        kv.set("token", token, seconds)
    end
    log.info("fetched a token", { expires_in = grant.expires_in })
end
request.headers["Authorization"] = "Bearer " .. token
