"""One page."""

import os
from pathlib import Path

import house_rules
from django.http import HttpResponse
from django.templatetags.static import static


def index(request):
    """Show where the application runs; a file below APP_HOME is read by its relative name."""
    notice = Path("notice.txt").read_text(encoding="utf-8").strip()
    lines = [notice, house_rules.MOTTO, f"working directory: {os.getcwd()}", static("pages/pages.css")]
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain")
