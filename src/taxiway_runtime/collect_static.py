"""Run Django's collectstatic; a project without STATIC_ROOT gets one for it.

usage: collect_static.py STATIC_ROOT
"""

import os
import sys
from typing import TextIO

import django
from django.conf import settings
from django.core.management import call_command


def main(static_root: str, stdout: TextIO | None = None) -> None:
    """Collect the static files into STATIC_ROOT, without asking."""
    django.setup()
    settings.STATIC_ROOT = os.environ.get("TAXIWAY_STATIC_ROOT") or settings.STATIC_ROOT
    if not settings.STATIC_ROOT:
        settings.STATIC_ROOT = static_root
    call_command("collectstatic", interactive=False, verbosity=1, stdout=stdout)


if __name__ == "__main__":
    main(sys.argv[1])
