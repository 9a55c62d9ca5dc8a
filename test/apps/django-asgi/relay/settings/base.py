SECRET_KEY = "only-for-tests"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "relay.urls"
WSGI_APPLICATION = "relay.wsgi.application"
ASGI_APPLICATION = "relay.asgi.application"
