"""One table, so that there is something to migrate."""

from django.db import models


class Visit(models.Model):
    """A request for /visits."""

    at = models.DateTimeField(auto_now_add=True)
