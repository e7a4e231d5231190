-- script_timeout
while true do log.info('x') end
