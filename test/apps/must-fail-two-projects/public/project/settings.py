SECRET_KEY = "x"
WSGI_APPLICATION = "project.wsgi.application"
