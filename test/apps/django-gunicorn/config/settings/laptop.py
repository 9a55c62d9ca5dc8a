"""Settings of a laptop; nothing may pick these in a container."""

from .base import *  # noqa: F403

DEBUG = True
