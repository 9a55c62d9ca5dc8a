def handler(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"as the Procfile says, by " + environ["SERVER_SOFTWARE"].encode() + b"\n"]
