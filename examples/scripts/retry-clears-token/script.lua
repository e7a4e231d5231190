-- Forgets a token that the endpoint has refused, so that this attempt fetches a new one.
if previous_error and (previous_error.status_code == 401 or previous_error.status_code == 403) then
    kv.del("token")
    log.warn("the token was refused", { attempt = metadata.attempt, status = previous_error.status_code })
end

local token = kv.get("token")
if not token then
    token = json.decode(http.get("https://auth.example.com/token").body).access_token
    kv.set("token", token, 3600)
end
request.headers["Authorization"] = "Bearer " .. token
