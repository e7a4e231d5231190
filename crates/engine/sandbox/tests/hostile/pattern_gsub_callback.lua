-- script_timeout
return ('a'):rep(1e5):gsub('a', function() while true do end end)
