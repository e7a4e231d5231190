-- ok
json.encode, json.object = error, error
log.info('x', { a = 1 })
