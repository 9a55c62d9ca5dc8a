"""The polls application."""

from django.apps import AppConfig


class PollsConfig(AppConfig):
    """Questions with a few choices each, and everybody's votes."""

    name = "polls"
