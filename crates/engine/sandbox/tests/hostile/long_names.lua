-- ok
local n = ('n'):rep(100000)
_G[n] = 1
request.headers.A = #n
