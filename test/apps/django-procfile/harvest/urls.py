from django.conf import settings
from django.http import HttpResponse
from django.templatetags.static import static
from django.urls import path


def index(request):
    return HttpResponse(f"{static('harvest/field.css')}\n{settings.SETTINGS_MODULE}\n")


urlpatterns = [path("", index)]
