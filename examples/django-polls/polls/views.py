"""Three pages: the list, one question to vote on, and its results."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from .models import Question


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """List what can be voted on, then what is over."""
    visible = Question.objects.visible().with_votes()
    now = timezone.now()
    context = {
        "open_questions": Question.objects.open().with_votes(),
        "closed_questions": visible.filter(closes_at__lte=now),
    }
    return render(request, "polls/index.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def question(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the choices, or count a vote for one of them."""
    asked = get_object_or_404(Question.objects.visible(), pk=pk)
    if not asked.is_open:
        if request.method == "POST":
            messages.error(request, "This poll has closed, so your vote was not counted.")
        return redirect("polls:results", pk=pk)
    if request.method == "POST":
        picked = request.POST.get("choice", "")
        choice = asked.choices.filter(pk=picked).first() if picked.isdecimal() else None
        if choice is not None:
            choice.count_vote()
            messages.success(request, f"Thank you. One more for “{choice}”.")
            return redirect("polls:results", pk=pk)
    context = {"question": asked, "choices": asked.choices.all(), "nothing_picked": request.method == "POST"}
    return render(request, "polls/question.html", context, status=400 if context["nothing_picked"] else 200)


@require_safe
def results(request: HttpRequest, pk: int) -> HttpResponse:
    """Show how many picked what, the most popular choice first."""
    asked = get_object_or_404(Question.objects.visible().with_votes(), pk=pk)
    choices = asked.choices.order_by("-votes", "pk")
    return render(request, "polls/results.html", {"question": asked, "choices": choices})
