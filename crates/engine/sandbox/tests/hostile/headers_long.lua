-- script_invalid_output
headers.A = ('x'):rep(1 << 20)
