"""Settings; wsgi_app is told on the command line."""

# wsgi_app = "service:handler"
workers = 1
