-- script_timeout
return ('a'):rep(32):find(('a?'):rep(28) .. ('a'):rep(28))
