"""The pages."""

from berths import views
from django.urls import path

urlpatterns = [
    path("", views.index),
    path("who", views.who),
    path("append", views.append),
    path("health", views.health),
]
