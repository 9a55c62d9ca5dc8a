"""Errors: codes, exit statuses, and texts.

After a wanted change, `UPDATE_WORDINGS=1 pytest test/unit/test_errors.py` writes the stored texts in test/unit/wordings again.
"""

import inspect
import os
import re
from pathlib import Path
from typing import Any

import pytest

from taxiway import errors
from taxiway.errors import TaxiwayError

CLASSES = [
    found
    for _, found in inspect.getmembers(errors, inspect.isclass)
    if issubclass(found, TaxiwayError) and found is not TaxiwayError
]

WORDINGS = Path(__file__).parent / "wordings"
TESTS = Path(__file__).parents[1]
OTHER_TESTS = [
    re.sub(r"^from taxiway\.errors import (\(.*?^\)|.*?$)", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for path in (*TESTS.rglob("test_*.py"), *TESTS.rglob("expect.toml"))
    if path != Path(__file__)
]

# Stable: scripts and pipelines rely on them.
STATUSES = {
    "no-app-file": 1,
    "not-healthy": 1,
    "problems-found": 1,
    "already-there": 2,
    "bad-audit-table": 2,
    "bad-config-file": 2,
    "bad-credentials": 2,
    "bad-env-table": 2,
    "bad-environment-name": 2,
    "bad-front-end": 2,
    "bad-processes": 2,
    "bad-proxy-policy": 2,
    "bad-python-version": 2,
    "bad-server-args": 2,
    "bad-setting": 2,
    "bad-variable-file": 2,
    "missing-variables": 2,
    "not-a-project": 2,
    "only-on-a-laptop": 2,
    "unknown-server": 2,
    "unknown-setting": 2,
    "unknown-topic": 2,
    "bad-entry-point": 3,
    "no-app-home": 3,
    "no-entry-point": 3,
    "no-environment": 3,
    "no-source": 3,
    "notebook-without-server": 3,
    "pipenv-and-micropipenv": 3,
    "several-entry-points": 3,
    "unreadable-source": 3,
    "unsupported-interface": 3,
    "bad-lock": 4,
    "bad-requirements": 4,
    "broken-interpreter": 4,
    "conflicting-pins": 4,
    "dependencies-failed": 4,
    "files-differ": 4,
    "incomplete-lock": 4,
    "lock-for-other-python": 4,
    "lock-outdated": 4,
    "locking-failed": 4,
    "missing-hashes": 4,
    "no-dependencies-file": 4,
    "no-interpreter": 4,
    "no-lock": 4,
    "no-pip-tools": 4,
    "no-python": 4,
    "not-locked": 4,
    "nothing-to-lock": 4,
    "secret-in-image": 4,
    "server-missing": 4,
    "server-not-here": 4,
    "system-packages-missing": 4,
    "unknown-group": 4,
    "unlocked-build-back-end": 4,
    "wheelhouse-incomplete": 4,
    "environment-file-failed": 5,
    "hook-failed": 5,
    "hook-not-executable": 5,
    "bytecode-failed": 6,
    "collectstatic-failed": 6,
    "bad-launch-plan": 7,
    "cannot-listen": 7,
    "cannot-start-server": 7,
    "cannot-write": 7,
    "migrations-failed": 7,
    "migrations-locked": 7,
    "no-launch-plan": 7,
    "not-enough-memory": 7,
    "server-not-built": 7,
    "unknown-process": 7,
    "command-failed": 8,
    "no-pip": 8,
    "not-root": 8,
    "audit-failed": 1,
    "images-differ": 1,
    "bad-image": 9,
    "image-too-large": 9,
    "no-sbom-library": 9,
    "no-such-image": 9,
    "no-zstd": 9,
    "nothing-installed": 9,
    "several-images": 9,
    "image-build-failed": 9,
    "layers-differ": 9,
    "no-builder-image": 9,
    "no-buildkit": 9,
    "no-engine": 9,
    "no-registry": 9,
    "no-source-to-image": 9,
    "no-wheelhouse": 9,
    "push-failed": 9,
    "wrong-platform": 9,
}

SAMPLES: dict[str, Any] = {
    "unknown": {"TAXIWAY_X": None, "TAXIWAY_PROT": "TAXIWAY_PORT"},
    "status": 3,
    "limit_bytes": 64 << 20,
    "needed_bytes": (72 << 20) - 1,
    "name": "start",
    "path": "/opt/app-root/start",
    "command": "start it",
    "app": "starlette_app:app",
    "output": "one\ntwo\n",
    "value": "x",
}
_LIST = ["start  (a)", "target  (b)"]


def test_what_to_do_is_in_the_first_kilobyte() -> None:
    """S2I's report has no more of stderr."""
    for output in ("x" * 5000, "\n".join(["x" * 100] * 20), "\n".join([*["x" * 400] * 3, "the end"])):
        text = str(errors.DependenciesError("uv pip install " + "y" * 150, "exit status 1", output))
        assert "Correct the requirements" in text[:1000]
        assert output[-7:] in text


def sample(kind: type[TaxiwayError], **given: object) -> TaxiwayError:
    """Make an error with an argument for each parameter."""
    arguments: dict[str, Any] = {}
    for name, parameter in inspect.signature(kind).parameters.items():
        default = _LIST if "Sequence" in str(parameter.annotation) else "target"
        arguments[name] = given.get(name, SAMPLES.get(name, default))
    return kind(**arguments)


def test_codes_and_statuses() -> None:
    assert {kind.code: kind.exit_status for kind in CLASSES} == STATUSES
    assert len({kind.code for kind in CLASSES}) == len(CLASSES)


@pytest.mark.parametrize("kind", CLASSES)
def test_text(kind: type[TaxiwayError]) -> None:
    text = str(sample(kind))
    assert not re.search("tar.*not found", text), "S2I would take the image for one without tar"
    assert not re.search("/bin/sh.*no such file or directory", text), "S2I would take the image for one without a shell"
    assert "Traceback" not in text
    assert text == text.strip()
    assert re.match(r"[A-Z].*(\.|:.*)$", text.splitlines()[0]), "begins with a headline"
    assert not re.search(r"[ \t]$|\n\n\n", text, re.MULTILINE)
    assert re.fullmatch("[a-z]+(-[a-z]+)+", kind.code)
    assert kind.__doc__


@pytest.mark.parametrize("kind", CLASSES)
def test_wording(kind: type[TaxiwayError]) -> None:
    """Each text is the stored one; the module's docstring says how to store a new one."""
    stored = WORDINGS / f"{kind.code}.txt"
    if os.environ.get("UPDATE_WORDINGS"):
        stored.write_text(f"{sample(kind)}\n", encoding="utf-8")
    assert stored.is_file(), "type: UPDATE_WORDINGS=1 pytest test/unit/test_errors.py"
    assert stored.read_text(encoding="utf-8") == f"{sample(kind)}\n"


def test_no_wording_is_left_over() -> None:
    assert {path.stem for path in WORDINGS.glob("*.txt")} == {kind.code for kind in CLASSES}


@pytest.mark.parametrize("kind", CLASSES)
def test_raised(kind: type[TaxiwayError]) -> None:
    """Another test makes taxiway fail in this way, and looks at the class or the code that comes of it."""
    words = re.compile(rf"""\b{kind.__name__}\b(?!\()|["'\[]{kind.code}["'\]]""")
    assert any(words.search(text) for text in OTHER_TESTS), f"no test raises {kind.__name__}, or looks for its code {kind.code}"


@pytest.mark.parametrize("kind", CLASSES)
def test_text_is_short_enough_for_s2i(kind: type[TaxiwayError]) -> None:
    """S2I's report has the first 1 KB of stderr; another program's output comes on top."""
    assert len(str(sample(kind, output=""))) < 700


def test_texts_that_say_what_to_do() -> None:
    """All but a program's own failure have a part of their own for that."""
    assert [kind.code for kind in CLASSES if "\n\n" not in str(sample(kind, output=""))] == ["command-failed"]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            errors.NoSourceError("/tmp/src"),
            (
                "There is no application source in /tmp/src.\n"
                "S2I uploads it there; in a Dockerfile copy it first:\n\n"
                "  COPY --chown=1001:0 . /tmp/src"
            ),
        ),
        (
            errors.NoAppHomeError("site", "APP_HOME", []),
            (
                "The application's directory site (APP_HOME) isn't in the source.\n"
                "Directories there: none.\n\n"
                "Set app-home in [tool.taxiway], or APP_HOME, to a directory relative to the top of the source."
            ),
        ),
        (
            errors.SeveralEntryPointsError(
                ["app:one  (Flask object in app.py line 1)", "app:two  (there)"], 'app = "app:one"', "APP_MODULE=app:one"
            ),
            (
                "More than one could be the application:\n"
                "  app:one  (Flask object in app.py line 1)\n"
                "  app:two  (there)\n\n"
                "Say which one, in pyproject.toml or in the environment:\n"
                '  [tool.taxiway] app = "app:one"\n'
                "  APP_MODULE=app:one"
            ),
        ),
        (
            errors.NoAppFileError("serve.py", "APP_FILE", ["app.py"]),
            (
                "There is no file serve.py (APP_FILE) in the application's directory.\n"
                "Found there: app.py.\n\n"
                "Correct APP_FILE, or remove it: then the application is looked for."
            ),
        ),
        (
            errors.NotebookError(["a.ipynb", "b.ipynb"]),
            (
                "There are notebooks only (a.ipynb, b.ipynb), and no program that shows them is in the requirements.\n\n"
                "Add voila to them, which shows a notebook's results as a page, or jupyterlab, in which whoever has its token\n"
                "runs what they like."
            ),
        ),
        (
            errors.HookNotExecutableError(".taxiway/hooks/build"),
            (
                "The hook .taxiway/hooks/build isn't executable, so it would be skipped.\n\n"
                "Make it so and commit that: chmod +x .taxiway/hooks/build && git update-index --chmod=+x .taxiway/hooks/build"
            ),
        ),
        (
            errors.HookFailedError("build", ".taxiway/hooks/build", 7, "so\nit is\n"),
            (
                "The hook build failed with exit status 7.\n"
                "It is .taxiway/hooks/build.\n\n"
                "The last lines of its output:\n  so\n  it is\n\n"
                "Correct the hook; a hook that may fail has to end with exit status 0 itself."
            ),
        ),
        (
            errors.HookFailedError("build", "build", -9),
            (
                "The hook build failed with signal 9.\n"
                "It is build.\n\n"
                "Correct the hook; a hook that may fail has to end with exit status 0 itself."
            ),
        ),
        (
            errors.UnknownServerError("uwsgi", "TAXIWAY_SERVER", ["mod_wsgi", "gunicorn"]),
            (
                "Unknown server uwsgi (TAXIWAY_SERVER).\n\n"
                "Expected one of: mod_wsgi, gunicorn. Set TAXIWAY_SERVER, or server in [tool.taxiway]."
            ),
        ),
        (errors.CommandFailedError("tar --create", "exit status 2"), "A command failed with exit status 2: tar --create"),
    ],
)
def test_whole_texts(error: TaxiwayError, text: str) -> None:
    assert str(error) == text


@pytest.mark.parametrize(
    ("output", "advice"),
    [
        ("error: no solution", "Correct the requirements and build again."),
        ("Because xxhash==0 doesn't exist", "Correct the requirements and build again."),
        (
            "Hash mismatch for flask",
            (
                "A file on the package index isn't the one that was locked, or the lock lacks a hash.\n"
                "If you trust the new file, lock again with the tool that wrote the lock; taxiway lock for a requirements.txt."
            ),
        ),
        (
            "invalid peer certificate: UnknownIssuer",
            (
                "The package index presents a certificate that isn't trusted here. Mount its authority's certificate, as ca.crt\n"
                "in a directory (docs/credentials.md): s2i build -v $PWD/credentials:/etc/taxiway/credentials:ro ...\n"
                "Or the authorities that this machine trusts: s2i build -v /etc/ssl/certs:/etc/ssl/certs:ro ..."
            ),
        ),
    ],
)
def test_advice_about_dependencies(output: str, advice: str) -> None:
    assert str(errors.DependenciesError("uv pip install", "exit status 1", output)) == (
        "Couldn't install the requirements: uv ended with exit status 1.\n"
        f"It was run as: uv pip install\n\nThe last lines of its output:\n  {output}\n\n{advice}"
    )


def test_only_the_end_of_a_long_output_is_shown() -> None:
    text = str(errors.CommandFailedError("x", "exit status 1", "\n".join(f"line {n}" for n in range(100))))
    assert text.splitlines()[3:] == [f"  line {n}" for n in range(88, 100)]
