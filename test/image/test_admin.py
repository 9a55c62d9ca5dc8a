"""Django's admin as a person uses it: log in through the form, and get the pages' style sheets."""

import html.parser
import re
import urllib.parse
from collections.abc import Callable, Mapping
from pathlib import Path

import browser
import harness
import pytest
from harness import Container

SUPERUSER = {
    "DJANGO_SUPERUSER_USERNAME": "ada",
    "DJANGO_SUPERUSER_PASSWORD": "a long enough password",
    "DJANGO_SUPERUSER_EMAIL": "ada@example.com",
}


class _Links(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.style_sheets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "link" and values.get("rel") == "stylesheet":
            self.style_sheets.append(values["href"] or "")


def log_in(running: Container) -> str:
    """Send the login form; gives the session's cookie."""
    form = running.get("/admin/login/")
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form.body)
    assert token
    cookie = form.headers["set-cookie"].partition(";")[0]
    fields = {
        "csrfmiddlewaretoken": token[1],
        "username": SUPERUSER["DJANGO_SUPERUSER_USERNAME"],
        "password": SUPERUSER["DJANGO_SUPERUSER_PASSWORD"],
        "next": "/admin/",
    }
    headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
    answer = running.post("/admin/login/", urllib.parse.urlencode(fields), headers)
    assert answer.status == 302, answer.body[:3000]
    session = re.search(r"sessionid=[^;]+", answer.headers["set-cookie"])
    assert session
    return session[0]


@pytest.mark.parametrize("server", ["mod_wsgi", "gunicorn"])
def test_logged_in_page_has_its_style_sheets(server: str, image_name: str, tmp_path: Path) -> None:
    source = harness.copy_app(harness.ROOT / "examples" / "django-polls", tmp_path / "polls")
    harness.s2i_build(source, image_name, "--copy", f"--env=TAXIWAY_SERVER={server}")
    with harness.container(image_name, *harness.ARBITRARY_USER, *harness.HARDENED, env=variables()) as running:
        running.wait()
        running.execute("python", "manage.py", "createsuperuser", "--noinput")
        session = log_in(running)
        page = running.get("/admin/", headers={"Cookie": session})
        assert page.status == 200
        assert "Questions and people" in page.body  # the sample's own title
        links = _Links()
        links.feed(page.body)
        assert any("dashboard.css" in link for link in links.style_sheets)
        for link in links.style_sheets:
            answer = running.get(link)
            assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (200, "text/css"), link
        look_at_header(running, session, tmp_path / f"admin-{server}.png")


def look_at_header(running: Container, session: str, picture: Path) -> None:
    """See that the page has the header's colour, which is its style sheets'."""
    header = browser.WIDTH - 5, 15
    assert browser.screenshot(running.port, "/admin/", session, picture).at(*header) != browser.WHITE
    plain = picture.with_name("without-style-sheets.png")
    assert browser.screenshot(running.port, "/admin/", session, plain, style_sheets=False).at(*header) == browser.WHITE


def variables() -> Mapping[str, str]:
    return {**SUPERUSER, "SECRET_KEY": "only for this test"}


def test_warnings_of_the_import_name_the_missing_variables(app_source: Callable[[str], Path], image_name: str) -> None:
    log = harness.s2i_build(app_source("django-settings-env"), image_name).text
    assert "SECRET_KEY isn't set during the build" in log
    assert "DATABASE_NAME isn't set during the build" in log
    stored = str(harness.image_config(image_name))
    assert "placeholder" not in stored


@pytest.mark.parametrize("server", ["mod_wsgi", "gunicorn"])
def test_manifest_storage_without_static_root(server: str, app_source: Callable[[str], Path], image_name: str) -> None:
    """Settings without STATIC_ROOT get the build's: the names with hashes stand in a file there."""
    app = app_source("django-static-sqlite")
    with (app / "hangar" / "settings.py").open("a") as settings:
        settings.write(
            "\nSTATIC_ROOT = None\n"
            'STORAGES = {"default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},\n'
            '            "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}}\n'
        )
    harness.s2i_build(app, image_name, f"--env=TAXIWAY_SERVER={server}")
    with harness.container(image_name, *harness.ARBITRARY_USER, *harness.HARDENED) as running:
        page = running.wait()
        assert page.status == 200, running.logs()[-3000:]
        link = re.search(r'href="(/static/board/board\.[0-9a-f]{12}\.css)"', page.body)
        assert link, page.body
        assert running.get(link[1]).status == 200
