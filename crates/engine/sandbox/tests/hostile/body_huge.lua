-- script_invalid_output
request.body = ('x'):rep(6 << 20)
