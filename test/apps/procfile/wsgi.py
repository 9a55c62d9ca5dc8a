def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"not as the Procfile says\n"]
