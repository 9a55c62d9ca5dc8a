from django.http import HttpResponse
from django.urls import path


async def index(request):
    return HttpResponse(f"by {type(request).__name__}\n")


urlpatterns = [path("", index)]
