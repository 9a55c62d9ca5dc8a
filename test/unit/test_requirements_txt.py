"""Reading requirements files."""

from pathlib import Path

import pytest
from packaging.requirements import InvalidRequirement
from trees import Tree

from taxiway.dependencies.formats.common import Selection
from taxiway.dependencies.formats.requirements_txt import logical_lines, parse_line
from taxiway.dependencies.formats.requirements_txt import read as read_requirements
from taxiway.dependencies.pins import PinnedList
from taxiway.errors import BadRequirementsError

HASH = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("line", "name", "pinned", "hashed"),
    [
        ("flask", "flask", False, False),
        ("flask==3.0", "flask", True, False),
        ("flask === 3.0", "flask", True, False),
        ("flask==3.*", "flask", False, False),
        ("flask>=3", "flask", False, False),
        ("flask~=3.0", "flask", False, False),
        ("flask==3.0,!=3.1", "flask", True, False),
        ("Flask_SQLAlchemy==3", "flask-sqlalchemy", True, False),
        ("zope.interface==1", "zope-interface", True, False),
        ("uvicorn[standard,extra]==0.30", "uvicorn", True, False),
        ("mod_wsgi == 5.0 ; sys_platform == 'linux'", "mod-wsgi", True, False),
        ("colorama ; os_name == 'nt'", "colorama", False, False),
        (f"flask==3.0 --hash={HASH}", "flask", True, True),
        (f"flask==3.0 ; python_version >= '3' --hash={HASH} --hash={HASH}", "flask", True, True),
        (f"flask==3.0 --hash {HASH}", "flask", True, True),
        ("flask==3.0 --config-settings=x=y", "flask", True, False),
        ("flask (==3.0)", "flask", True, False),
        ("flask @ https://example.org/flask.zip", "flask", True, False),
        ("flask@git+https://example.org/flask@v1", "flask", False, False),
        (f"flask@git+https://example.org/flask@{'b' * 40}", "flask", True, False),
        ("flask[async] @ file:///srv/flask.whl", "flask", True, False),
        # Without a name.
        ("https://example.org/flask-3.0-py3-none-any.whl", "", False, False),
        (f"https://example.org/flask.whl --hash={HASH}", "", True, True),
        ("git+https://example.org/flask", "", False, False),
        ("git+ssh://git@example.org/flask@v1#egg=Flask", "flask", False, False),
        ("https://${TOKEN}@example.org/x.tar.gz", "", False, False),
        (".", "", True, False),
        ("./vendor/flask", "", True, False),
        ("../flask[async]", "", True, False),
        ("/srv/flask", "", True, False),
        ("vendor/flask", "", True, False),
        ("vendor/flask[async]", "", True, False),
        ("flask-3.0-py3-none-any.whl", "", True, False),
        ("dist/flask-3.0.tar.gz", "", True, False),
        ("./flask-3.0.zip ; python_version >= '3'", "", True, False),
        # Editable.
        ("-e .", "", True, False),
        ("-e ./vendor/flask", "", True, False),
        ("--editable vendor/flask", "", True, False),
        ("--editable=git+https://example.org/flask#egg=Flask", "flask", False, False),
    ],
)
def test_parse_line(line: str, name: str, *, pinned: bool, hashed: bool) -> None:
    found = parse_line(line, "requirements.txt", 3)
    assert (found.name, found.is_pinned, bool(found.hashes)) == (name, pinned, hashed)
    assert found.origin == "requirements.txt line 3"
    assert "--hash" not in found.requirement


@pytest.mark.parametrize("line", ["flask = 3", "flask==", "==3", "flask 3.0", "<<<<<<< HEAD", "flask; no", "pip install x"])
def test_no_requirement(line: str) -> None:
    with pytest.raises(InvalidRequirement):
        parse_line(line, "requirements.txt", 1)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        ("\n \n# x\n  # y\n", []),
        ("a\nb", [(1, "a"), (2, "b")]),
        ("a\r\nb\r\n", [(1, "a"), (2, "b")]),
        ("a # x\n", [(1, "a")]),
        ("a#x\n", [(1, "a#x")]),
        ("git+https://x/y#egg=z # why\n", [(1, "git+https://x/y#egg=z")]),
        ("a==1 \\\n    --hash=x \\\n    --hash=y\n    # via b\nc\n", [(1, "a==1 --hash=x --hash=y"), (5, "c")]),
        ("a \\\n# a comment ends it\nb\n", [(1, "a"), (3, "b")]),
        ("a \\\n", [(1, "a")]),
        ("a\\\n\nb", [(1, "a"), (3, "b")]),
        ("\n\n  a   ==  1\n", [(3, "a == 1")]),
    ],
)
def test_logical_lines(text: str, lines: list[tuple[int, str]]) -> None:
    assert list(logical_lines(text)) == lines


def read(tree: Tree, files: dict[str, str]) -> PinnedList:
    top = tree(files)
    return read_requirements(top / "requirements.txt", top, Selection())


@pytest.mark.parametrize(
    ("files", "names"),
    [
        ({"requirements.txt": ""}, []),
        ({"requirements.txt": "\ufeffflask==3\n"}, ["flask"]),
        ({"requirements.txt": "flask\n-r more.txt\ndjango\n", "more.txt": "celery\n"}, ["flask", "celery", "django"]),
        ({"requirements.txt": "-rmore.txt\n", "more.txt": "celery\n"}, ["celery"]),
        ({"requirements.txt": "--requirement=a/b.txt\n", "a/b.txt": "-r c.txt\n", "a/c.txt": "celery\n"}, ["celery"]),
        ({"requirements.txt": "--requirement a/b.txt # why\n", "a/b.txt": "x\n"}, ["x"]),
        ({"requirements.txt": "flask\n-c limits.txt\n", "limits.txt": "django<5\nthis is\n= ignored\n"}, ["flask"]),
        ({"requirements.txt": "--constraint limits.txt\n", "limits.txt": "-r more.txt\n", "more.txt": "x\n"}, []),
        # The same file as constraints and as requirements, and a circle.
        ({"requirements.txt": "-c more.txt\n-r more.txt\n", "more.txt": "x\n"}, ["x"]),
        ({"requirements.txt": "a\n-r more.txt\n", "more.txt": "b\n-r requirements.txt\n"}, ["a", "b"]),
        # Options.
        (
            {"requirements.txt": "--index-url https://x.example\n-i x\n--require-hashes\n--no-binary :all:\n-f .\nflask\n"},
            ["flask"],
        ),
        ({"requirements.txt": "-r https://example.org/r.txt\nflask\n"}, ["flask"]),
        ({"requirements.txt": "-e .\n--editable=./x\n"}, ["", ""]),
    ],
)
def test_read(tree: Tree, files: dict[str, str], names: list[str]) -> None:
    assert [r.name for r in read(tree, files).pins] == names


def test_requirements(tree: Tree) -> None:
    found = read(
        tree,
        {
            "requirements.txt": f"# all\nGunicorn[gevent]==23 --hash={HASH}\n-r sub/more.txt\n-c limits.txt\n",
            "sub/more.txt": "\nflask>=3\n-e .\n",
            "limits.txt": "x==1\n",
        },
    )
    assert found.file == "requirements.txt"
    assert found.hashed
    assert [f"{r.requirement} ({r.origin})" for r in found.unpinned] == ["flask>=3 (sub/more.txt line 2)"]
    gunicorn = found.find("gunicorn")
    assert gunicorn is not None
    assert gunicorn.origin == "requirements.txt line 2"
    assert found.find("FLASK")
    assert found.find("x") is None, "a constraint asks for nothing"
    assert len(found.contents) == 3, "constraints decide what is installed too"
    assert found.options == ("--constraint limits.txt",)
    assert found.complete
    assert found.contents[2] == "x==1\n"


def test_no_hashes(tree: Tree) -> None:
    assert not read(tree, {"requirements.txt": "flask==3\n"}).hashed


def test_problems_are_reported_together(tree: Tree) -> None:
    with pytest.raises(BadRequirementsError) as caught:
        read(
            tree,
            {
                "requirements.txt": "flask = 3\n-r missing.txt\n-r sub/more.txt\n-c ../outside.txt\n",
                "sub/more.txt": "\n<<<<<<< HEAD\n",
            },
        )
    lines = str(caught.value).splitlines()
    top = tree({})
    assert lines == [
        "Couldn't read the requirements:",
        "  requirements.txt line 1: flask = 3: Expected semicolon (after name with no version specifier) or end",
        "  missing.txt: No such file or directory",
        "  sub/more.txt line 2: <<<<<<< HEAD: Expected package name at the start of dependency specifier",
        f"  {top.parent}/outside.txt: No such file or directory",
        "",
        "Expected the requirements file format: name==version lines, -r FILE, -c FILE, --hash, and pip's other options.",
    ]


def test_not_utf_8(tree: Tree) -> None:
    top = tree({})
    (top / "requirements.txt").write_bytes(b"flask # caf\xe9\n")
    with pytest.raises(BadRequirementsError, match=r"requirements\.txt: 'utf-8' codec can't decode byte 0xe9"):
        read_requirements(top / "requirements.txt", top, Selection())


def test_a_false_marker_asks_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("gunicorn==27.0.1; sys_platform == 'win32'\nflask==3.1.3; python_version > '3'\n")
    found = read_requirements(tmp_path / "requirements.txt", tmp_path, Selection())
    assert found.find("gunicorn") is None
    assert found.find("flask") is not None
