from django.conf import settings
from django.http import HttpResponse
from django.urls import path

urlpatterns = [path("", lambda request: HttpResponse(f"{settings.BERTHS} berths, debug {settings.DEBUG}\n"))]
