"""A shell in a pseudo-terminal, and what is typed there in more than one test."""

import http.client
from pathlib import Path

import harness
import pexpect

SUPERUSER = {
    "DJANGO_SUPERUSER_USERNAME": "ada",
    "DJANGO_SUPERUSER_PASSWORD": "a long enough password",
    "DJANGO_SUPERUSER_EMAIL": "ada@example.com",
    "SECRET_KEY": "only for this test",
}
SETUP = """\
#!/bin/sh
# A first user, from the environment.
set -eu
python manage.py migrate --noinput
python manage.py createsuperuser --noinput
"""


class Terminal:
    """A shell in a pseudo-terminal."""

    def __init__(self, shell: str, cwd: Path, env: dict[str, str]) -> None:
        self.log = (cwd.parent / "terminal.log").open("w+")
        options = {"bash": ["--norc", "-i"], "zsh": ["-f", "-i"], "fish": ["--no-config", "-i"]}[Path(shell).name]
        self.child = pexpect.spawn(shell, options, cwd=str(cwd), env=env, encoding="utf-8", timeout=40, dimensions=(40, 250))
        self.child.logfile_read = self.log

    def type(self, line: str) -> None:
        """Type a line."""
        self.child.sendline(line)

    def see(self, *texts: str) -> str:
        """Wait for texts, in this order; gives what came before the last."""
        for text in texts:
            self.child.expect_exact(text)
        return str(self.child.before)


def get(port: int, path: str) -> tuple[int, str]:
    """Ask for a page, until the server is there."""

    def ask() -> tuple[int, str] | None:
        connection = http.client.HTTPConnection("localhost", port, timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return None
        finally:
            connection.close()

    return harness.wait_for(ask, 60)
