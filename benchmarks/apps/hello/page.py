"""A Django page from a template, for both interfaces: middleware, URL resolver and 50 rows, without a database."""

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.template import Context, Template
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"],
    MIDDLEWARE=["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="only for measuring",
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
)
django.setup()
TEMPLATE = Template("<ul>{% for row in rows %}<li>{{ forloop.counter }}: {{ row.name|upper }}</li>{% endfor %}</ul>")


def index(request):
    rows = [{"name": f"row <{number}>"} for number in range(50)]
    return HttpResponse(TEMPLATE.render(Context({"rows": rows, "request": request})))


urlpatterns = [path("", index)]
wsgi = WSGIHandler()
asgi = ASGIHandler()
