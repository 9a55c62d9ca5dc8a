"""URLs."""

from django.contrib import admin
from django.urls import path

from board import views

urlpatterns = [
    path("", views.index),
    path("visits", views.visits),
    path("slow", views.slow),
    path("env", views.env),
    path("admin/", admin.site.urls),
]
