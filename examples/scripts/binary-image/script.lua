-- Sends the image inside a JSON document as an image.
local data = json.decode(payload)
request.body = base64.decode(data.image_data)
request.headers["Content-Type"] = data.media_type or "image/png"
request.headers["X-File-Name"] = data.name
config.opt_out_default_headers = true
