"""PostgreSQL builds this index without locking the table, and waits for all statements that run: also of containers that wait."""

from django.db import migrations


def index(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("CREATE INDEX CONCURRENTLY berths_migrated_host ON berths_migrated (host)")


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("berths", "0002_slow")]
    operations = [migrations.RunPython(index)]
