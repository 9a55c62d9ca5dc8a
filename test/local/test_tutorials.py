"""What the tutorials of the frameworks begin with, unmodified: made or copied, then `taxiway start`."""

from pathlib import Path

import harness
import lab
import pytest
import test_admin

# https://flask.palletsprojects.com/quickstart/ and https://fastapi.tiangolo.com/tutorial/first-steps/, as they stand there.
FLASK = """\
from flask import Flask

app = Flask(__name__)

@app.route("/")
def hello_world():
    return "<p>Hello, World!</p>"
"""
FASTAPI = """\
from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def root():
    return {"message": "Hello World"}
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A directory for all environments of a test."""
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.mark.parametrize(
    ("file", "text", "requirements", "server", "answer"),
    [
        ("hello.py", FLASK, "flask\n", "", "<p>Hello, World!</p>"),
        ("main.py", FASTAPI, "fastapi[standard]\n", "uvicorn", '{"message":"Hello World"}'),
        ("main.py", FASTAPI, "fastapi\n", "uvicorn", '{"message":"Hello World"}'),
    ],
)
def test_first_steps(file: str, text: str, requirements: str, server: str, answer: str, data: Path) -> None:  # noqa: PLR0917
    source = data.parent / "first"
    source.mkdir()
    (source / file).write_text(text)
    (source / "requirements.txt").write_text(requirements)
    with lab.start(source=source, env=lab.environ(data)) as running:
        assert running.wait().body == answer
        assert f"server: {server}" in running.logs()
        assert running.interrupt() == 0
    assert set(lab.files(source)) == {file, "requirements.txt"}


def test_startproject(data: Path) -> None:
    """Of the newest Django that this Python can run: the page of a new project, and the admin with its style sheets."""
    maker, source = data.parent / "maker", data.parent / "mysite"
    maker.mkdir()
    source.mkdir()
    (maker / "requirements.txt").write_text("django\n")
    (maker / "app.py").write_text("def application(environ, start_response): ...\n")
    env = lab.environ(data)
    lab.run("build", source=maker, env=env)
    lab.run("exec", "django-admin", "startproject", "mysite", str(source), source=maker, env=env)
    (source / "requirements.txt").write_text("django\n")
    with lab.start(source=source, env=env) as running:
        assert "The install worked successfully!" in running.wait().body
        login = running.get("/admin/login/")
        assert login.status == 200
        style = running.get("/static/admin/css/base.css")
        assert (style.status, style.headers["content-type"].partition(";")[0]) == (200, "text/css")
        assert running.interrupt() == 0
    assert {name.rpartition("/")[2] for name in lab.files(source)} == {
        *("__init__.py", "asgi.py", "settings.py", "urls.py", "wsgi.py", "manage.py"),
        *("requirements.txt", "db.sqlite3", "db.sqlite3-migrate"),  # the last: the lock of the migrations
    }


def test_sample_s_admin_as_it_looks(data: Path) -> None:
    """A screenshot of the page behind the login."""
    source = harness.copy_app(harness.ROOT / "examples" / "django-polls", data.parent / "polls")
    env = lab.environ(data, **test_admin.variables(), DATABASE_PATH=str(data / "polls.sqlite3"))
    with lab.start(source=source, env=env) as running:
        running.wait()
        lab.run("exec", "python", "manage.py", "createsuperuser", "--noinput", source=source, env=env)
        session = test_admin.log_in(running)
        assert "Questions and people" in running.get("/admin/", headers={"Cookie": session}).body
        test_admin.look_at_header(running, session, data.parent / "admin-local.png")
        assert running.interrupt() == 0
