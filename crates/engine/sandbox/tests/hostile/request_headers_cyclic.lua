-- script_invalid_output
request.headers = {}
request.headers.x = request.headers
