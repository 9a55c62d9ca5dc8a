# wsgi_app = "app:application"
wsgi_app = "service.http:handler"
workers = 1
