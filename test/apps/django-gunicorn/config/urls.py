"""URLs."""

from django.contrib import admin
from django.urls import path

from fleet import views

urlpatterns = [
    path("", views.index),
    path("slow", views.slow),
    path("env", views.env),
    path("admin/", admin.site.urls),
]
