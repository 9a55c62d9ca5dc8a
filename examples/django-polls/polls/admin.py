"""The back office: a question is edited together with its choices."""

from django.contrib import admin

from .models import Choice, Question


class ChoiceInline(admin.TabularInline):
    """Choices below their question; the votes can be seen, not edited."""

    model = Choice
    extra = 2
    readonly_fields = ("votes",)


@admin.register(Question)
class QuestionAdmin(admin.ModelAdmin):
    """Questions with their opening times and number of votes."""

    list_display = ("text", "opens_at", "closes_at", "votes")
    list_filter = ("opens_at",)
    search_fields = ("text", "choices__text")
    inlines = (ChoiceInline,)

    def get_queryset(self, request):
        return super().get_queryset(request).with_votes()

    @admin.display(ordering="votes")
    def votes(self, question: Question) -> int:
        """Return the sum over the question's choices."""
        return question.votes
