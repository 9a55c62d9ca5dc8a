"""What the commands on a laptop share."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from taxiway.layout import is_image
from taxiway.local import environments

F = TypeVar("F", bound=Callable[..., Any])


def project_option(function: F) -> F:
    """Add the option --project."""
    return click.option(
        "--project", metavar="NAME", help="The environment, as `taxiway project NAME` makes it. Default: this directory's own."
    )(function)


def environ(project: str | None = None) -> dict[str, str]:
    """Return the environment of a command that works with what was built: an image's, or on a laptop that of the project."""
    if is_image(os.environ):
        return dict(os.environ)
    return environments.activated(environments.existing(os.environ, Path.cwd(), project), os.environ)
