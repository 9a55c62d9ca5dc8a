"""What is asked, and what was answered."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q, Sum
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone


class QuestionQuerySet(models.QuerySet):
    """Questions, selected by what a visitor may do with them."""

    def visible(self):
        """Return the questions that have opened, whether or not they are still open."""
        return self.filter(opens_at__lte=timezone.now())

    def open(self):
        """Return the questions that take votes now."""
        now = timezone.now()
        return self.visible().filter(Q(closes_at=None) | Q(closes_at__gt=now))

    def with_votes(self):
        """Add `votes` to each question: the sum over its choices."""
        return self.annotate(votes=Coalesce(Sum("choices__votes"), 0))


class Question(models.Model):
    """One question to the public."""

    text = models.CharField(max_length=160)
    note = models.TextField(blank=True, help_text="Shown in small type below the question.")
    opens_at = models.DateTimeField(default=timezone.now)
    closes_at = models.DateTimeField(null=True, blank=True, help_text="Empty: it stays open.")

    objects = QuestionQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-opens_at", "pk"]

    def __str__(self) -> str:
        return self.text

    def get_absolute_url(self) -> str:
        return reverse("polls:question", args=[self.pk])

    @property
    def is_open(self) -> bool:
        """Whether a vote would count now."""
        now = timezone.now()
        return self.opens_at <= now and (self.closes_at is None or now < self.closes_at)


class Choice(models.Model):
    """One of the answers to pick from."""

    question = models.ForeignKey(Question, related_name="choices", on_delete=models.CASCADE)
    text = models.CharField(max_length=120)
    votes = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        ordering: ClassVar = ["pk"]

    def __str__(self) -> str:
        return self.text

    def count_vote(self) -> None:
        """Add one vote; the database does the sum, so that votes at the same moment all count."""
        type(self).objects.filter(pk=self.pk).update(votes=F("votes") + 1)
