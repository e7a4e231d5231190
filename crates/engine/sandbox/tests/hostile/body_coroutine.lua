-- script_invalid_output
request.body = coroutine.create(print)
