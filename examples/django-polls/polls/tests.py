"""What a visitor can do."""

from datetime import timedelta
from io import StringIO

from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import TestCase
from django.utils import timezone

from .models import Question


def ask(
    text: str, *choices: str, opens_in: timedelta = timedelta(hours=-1), closes_in: timedelta | None = None
) -> Question:
    """Store a question; times are counted from now."""
    now = timezone.now()
    closes_at = None if closes_in is None else now + closes_in
    question = Question.objects.create(text=text, opens_at=now + opens_in, closes_at=closes_at)
    for choice in choices:
        question.choices.create(text=choice)
    return question


class IndexTests(TestCase):
    """The list of questions."""

    def test_empty(self) -> None:
        """An empty table gives a page that says so."""
        self.assertContains(self.client.get("/"), "Nothing to vote on just now")

    def test_open_and_closed(self) -> None:
        """Open questions lead to the vote, closed ones to their results, future ones nowhere."""
        now_open = ask("Stairs or lift?", "Stairs")
        closed = ask("Bus or tram?", "Bus", closes_in=timedelta(minutes=-5))
        ask("Sea or hills?", opens_in=timedelta(days=1))
        page = self.client.get("/")
        self.assertContains(page, f'href="/{now_open.pk}/"')
        self.assertContains(page, f'href="/{closed.pk}/results/"')
        self.assertNotContains(page, "Sea or hills?")


class VoteTests(TestCase):
    """The page of one question."""

    def test_vote_counts(self) -> None:
        """A vote is counted once and leads to the results."""
        question = ask("Stairs or lift?", "Stairs", "Lift")
        lift = question.choices.get(text="Lift")
        page = self.client.post(f"/{question.pk}/", {"choice": lift.pk}, follow=True)
        self.assertRedirects(page, f"/{question.pk}/results/")
        self.assertContains(page, "One more for “Lift”")
        self.assertEqual({c.text: c.votes for c in question.choices.all()}, {"Stairs": 0, "Lift": 1})

    def test_nothing_picked(self) -> None:
        """No choice, nonsense, or a choice of another question: asked again, nothing counted."""
        question = ask("Stairs or lift?", "Stairs")
        foreign = ask("Bus or tram?", "Bus").choices.get()
        for data in ({}, {"choice": "stairs"}, {"choice": foreign.pk}):
            with self.subTest(data):
                page = self.client.post(f"/{question.pk}/", data)
                self.assertContains(page, "Pick one of the answers first", status_code=400)
        foreign.refresh_from_db()
        self.assertEqual(foreign.votes, 0)

    def test_closed(self) -> None:
        """A vote that comes too late is not counted, and the page says so."""
        question = ask("Bus or tram?", "Bus", closes_in=timedelta(minutes=-5))
        choice = question.choices.get()
        page = self.client.post(f"/{question.pk}/", {"choice": choice.pk}, follow=True)
        self.assertContains(page, "your vote was not counted")
        choice.refresh_from_db()
        self.assertEqual(choice.votes, 0)

    def test_not_yet_open(self) -> None:
        """A question of tomorrow does not exist today."""
        question = ask("Sea or hills?", "Sea", opens_in=timedelta(days=1))
        for path in (f"/{question.pk}/", f"/{question.pk}/results/"):
            self.assertEqual(self.client.get(path).status_code, 404)


class SampleTests(TestCase):
    """`manage.py load_samples`."""

    def test_only_into_an_empty_table(self) -> None:
        """Samples are loaded once, and each page of them can be shown."""
        out = StringIO()
        call_command("load_samples", stdout=out)
        call_command("load_samples", stdout=out)
        self.assertIn("Loaded 3 sample questions.", out.getvalue())
        self.assertIn("no samples loaded", out.getvalue())
        for question in Question.objects.all():
            self.assertContains(self.client.get(question.get_absolute_url(), follow=True), question.text)


class AdminTests(TestCase):
    """The back office."""

    def test_list_shows_votes(self) -> None:
        """The list of questions carries the sum of the votes."""
        question = ask("Stairs or lift?", "Stairs", "Lift")
        question.choices.update(votes=21)
        self.client.force_login(User.objects.create_superuser("clerk"))
        self.assertContains(self.client.get("/admin/polls/question/"), '<td class="field-votes">42</td>')
        self.assertEqual(self.client.get(f"/admin/polls/question/{question.pk}/change/").status_code, 200)
