"""URLs of the site: the polls at the top, the admin below it."""

from django.contrib import admin
from django.urls import include, path

admin.site.site_header = "Polls: back office"
admin.site.site_title = "Polls"
admin.site.index_title = "Questions and people"

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("polls.urls")),
]
