from django.contrib import admin
from django.http import JsonResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.csrf import csrf_exempt


def users(request):
    from django.contrib.auth.models import User

    return JsonResponse({"users": list(User.objects.values_list("username", flat=True))})


@csrf_exempt
def cargo(request):
    return JsonResponse({"received": len(request.body)})


urlpatterns = [
    path("", lambda request: render(request, "quay.html")),
    path("users", users),
    path("cargo", cargo),
    path("admin/", admin.site.urls),
]
