"""Waits for a file, if it is told one, and leaves a row with the container's name: a second container that does the same would be seen."""

import os
import socket
import time
from pathlib import Path

from django.db import migrations


def note(apps, schema_editor):
    print("slow: begin", flush=True)
    while (awaited := os.environ.get("MIGRATION_AWAITS")) and not Path(awaited).exists():
        time.sleep(0.1)
    if os.environ.get("MIGRATION_FAILS"):
        raise RuntimeError("this migration fails")
    apps.get_model("berths", "Migrated").objects.create(host=socket.gethostname())
    print("slow: end", flush=True)


class Migration(migrations.Migration):
    dependencies = [("berths", "0001_initial")]
    operations = [migrations.RunPython(note)]
