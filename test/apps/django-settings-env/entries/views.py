"""One page."""

from django.conf import settings
from django.db import connection
from django.http import HttpResponse


def index(request):
    """Show which values the server works with: a test's key is no secret."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 6 * 7")
        (answer,) = cursor.fetchone()
    name = settings.DATABASES["default"]["NAME"]
    text = f"key: {settings.SECRET_KEY}\ndatabase: {name}\nit answers: {answer}\n"
    return HttpResponse(text, content_type="text/plain")
