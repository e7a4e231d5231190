-- script_runtime_error
return (('a'):rep(300000)):match(('(a?)'):rep(31) .. ('a?'):rep(300000))
