-- Signs the body as an endpoint of its own kind wants it: HMAC-SHA256 over "TIME.BODY", in hexadecimal digits.
-- SHA-256 (FIPS 180-4) and HMAC (RFC 2104) in Lua: 64-bit integers and bit operators are all it takes.
local K, first_primes = {}, {}
do
    local n = 2
    while #first_primes < 64 do
        local is_prime = true
        for i = 1, #first_primes do
            if first_primes[i] * first_primes[i] > n then break end
            if n % first_primes[i] == 0 then is_prime = false break end
        end
        if is_prime then first_primes[#first_primes + 1] = n end
        n = n + 1
    end
    -- The first 32 bits of a root's fraction.
    for i = 1, 64 do
        local root = first_primes[i] ^ (1 / 3)
        K[i] = math.floor((root % 1) * 4294967296)
    end
end

local function rotate(x, n)
    return ((x >> n) | (x << (32 - n))) & 0xffffffff
end

local function sha256(message)
    local h = {}
    for i = 1, 8 do
        h[i] = math.floor((first_primes[i] ^ 0.5 % 1) * 4294967296)
    end
    local padded = message .. "\x80" .. ("\0"):rep((55 - #message) % 64) .. string.pack(">I8", #message * 8)
    local w = {}
    for block = 1, #padded, 64 do
        for i = 1, 16 do
            w[i] = string.unpack(">I4", padded, block + (i - 1) * 4)
        end
        for i = 17, 64 do
            local x, y = w[i - 15], w[i - 2]
            local s0 = rotate(x, 7) ~ rotate(x, 18) ~ (x >> 3)
            local s1 = rotate(y, 17) ~ rotate(y, 19) ~ (y >> 10)
            w[i] = (w[i - 16] + s0 + w[i - 7] + s1) & 0xffffffff
        end
        local a, b, c, d, e, f, g, last = table.unpack(h)
        for i = 1, 64 do
            local s1 = rotate(e, 6) ~ rotate(e, 11) ~ rotate(e, 25)
            local t1 = (last + s1 + ((e & f) ~ (~e & g)) + K[i] + w[i]) & 0xffffffff
            local s0 = rotate(a, 2) ~ rotate(a, 13) ~ rotate(a, 22)
            local t2 = (s0 + ((a & b) ~ (a & c) ~ (b & c))) & 0xffffffff
            a, b, c, d, e, f, g, last = (t1 + t2) & 0xffffffff, a, b, c, (d + t1) & 0xffffffff, e, f, g
        end
        for i, x in ipairs({ a, b, c, d, e, f, g, last }) do
            h[i] = (h[i] + x) & 0xffffffff
        end
    end
    return string.pack(">I4I4I4I4I4I4I4I4", table.unpack(h))
end

local function hmac(key, message)
    if #key > 64 then key = sha256(key) end
    key = key .. ("\0"):rep(64 - #key)
    local function pad(byte)
        return (key:gsub(".", function(c) return string.char(c:byte() ~ byte) end))
    end
    return sha256(pad(0x5c) .. sha256(pad(0x36) .. message))
end

local secret = kv.get("secret") or error("kv has no secret")
local digest = hmac(secret, metadata.created_at .. "." .. payload)
request.headers["X-Vendor-Time"] = metadata.created_at
request.headers["X-Vendor-Signature"] = (digest:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
