"""What is in the database."""

from django.db import models


class Migrated(models.Model):
    """A row for each container that ran the migrations."""

    host = models.CharField(max_length=100)


class Visit(models.Model):
    """A row for each request of the first page."""
