"""`manage.py load_samples`: something to look at on a first visit."""

from django.core.management import BaseCommand, call_command
from django.db import transaction

from polls.models import Question


class Command(BaseCommand):
    """Load the sample questions into an empty table; leave any other table alone."""

    help = "Load sample questions, unless there are questions already."

    def handle(self, *args, **options) -> None:
        with transaction.atomic():
            if Question.objects.exists():
                self.stdout.write("There are questions already: no samples loaded.")
                return
            call_command("loaddata", "sample_questions", verbosity=0)
        self.stdout.write(f"Loaded {Question.objects.count()} sample questions.")
