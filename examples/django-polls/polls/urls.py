"""URLs of the polls."""

from django.urls import path

from . import views

app_name = "polls"
urlpatterns = [
    path("", views.index, name="index"),
    path("<int:pk>/", views.question, name="question"),
    path("<int:pk>/results/", views.results, name="results"),
]
