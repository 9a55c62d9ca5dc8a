"""The launch plan as a file."""

import json
from pathlib import Path

import pytest

from taxiway import launch_plan
from taxiway.errors import BadLaunchPlanError, NoLaunchPlanError
from taxiway.launch_plan import LaunchPlan

PLAN = LaunchPlan(
    interface="WSGI",
    app="shop:create_app()",
    home="src/site",
    server="gunicorn",
    servers={"gunicorn": "23.0.0", "uvicorn": "0.54.0"},
    framework="django",
    django_settings="site.settings",
    static=(("/static/", "/opt/app-root/src/staticfiles"), ("/é", "/a b")),
    static_root=None,
    project={"port": 81, "static": ["/m=media"], "keep-git": True},
    project_origin="taxiway.toml",
    origins={"app": "APP_MODULE", "server": "from requirements.txt line 1"},
    passed_over=("app:app (Flask object in app.py line 1)",),
)
EMPTY = LaunchPlan(
    interface="command",
    app="a:b",
    home=".",
    server="mod_wsgi",
    servers={},
    framework=None,
    django_settings=None,
    static=(),
    static_root=None,
    project={},
    project_origin="[tool.taxiway]",
    origins={},
    passed_over=(),
)


@pytest.mark.parametrize("plan", [PLAN, EMPTY])
def test_round_trip(tmp_path: Path, plan: LaunchPlan) -> None:
    path = str(tmp_path / "new/launch.json")
    launch_plan.write(plan, path)
    assert launch_plan.read(path) == plan
    assert hash(launch_plan.read(path).static) == hash(plan.static), "tuples, not lists"


def test_writing_again(tmp_path: Path) -> None:
    path = tmp_path / "launch.json"
    launch_plan.write(EMPTY, str(path))
    launch_plan.write(PLAN, str(path))
    assert launch_plan.read(str(path)) == PLAN
    assert [p.name for p in tmp_path.iterdir()] == ["launch.json"]


def test_the_file_is_readable() -> None:
    """It is made to be looked at, and the same plan gives the same bytes."""
    text = PLAN.to_json()
    assert json.loads(text)["format"] == launch_plan.FORMAT
    assert text.splitlines()[1].startswith('  "app": ')
    assert text.endswith("}\n")


def test_none(tmp_path: Path) -> None:
    with pytest.raises(NoLaunchPlanError) as caught:
        launch_plan.read("/nowhere/launch.json")
    assert str(caught.value) == (
        "There is no application here: couldn't find the launch plan /nowhere/launch.json, which a build writes.\n\n"
        "Build first: s2i build SOURCE localhost/taxiway-builder IMAGE. In a Dockerfile: RUN /usr/libexec/s2i/assemble,\n"
        "or on the runtime image: COPY --from=build --chown=1001:0 /opt/app-root /opt/app-root"
    )
    with pytest.raises(BadLaunchPlanError):
        launch_plan.read(str(tmp_path))


GOOD = json.loads(PLAN.to_json())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "JSONDecodeError: Expecting value"),
        (PLAN.to_json()[:-20], "JSONDecodeError: "),
        ("null", "AttributeError: "),
        ("[]", "TypeError: "),
        ('"format"', "AttributeError: "),
        ("{}", "KeyError: 'format'"),
        (json.dumps({**GOOD, "format": 1}), "expected format 2"),
        (json.dumps({**GOOD, "format": None}), "expected format 2"),
        (json.dumps({**GOOD, "more": 1}), "TypeError: "),
        (json.dumps({k: v for k, v in GOOD.items() if k != "app"}), "TypeError: "),
        (json.dumps({k: v for k, v in GOOD.items() if k != "static"}), "KeyError: 'static'"),
        (json.dumps({**GOOD, "static": [["/a"]]}), "ValueError: "),
        (json.dumps({**GOOD, "static": None}), "TypeError: "),
        (json.dumps({**GOOD, "passed_over": 1}), "TypeError: "),
        ("\x00\x01", "JSONDecodeError: "),
    ],
)
def test_damaged(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "launch.json"
    path.write_text(text)
    with pytest.raises(BadLaunchPlanError) as caught:
        launch_plan.read(str(path))
    lines = str(caught.value).splitlines()
    assert lines[0].startswith(f"The launch plan {path} can't be used: {reason}")
    assert lines[-2:] == [
        "It was written by another version of taxiway, or damaged. Build the image again, with the builder",
        "and the runtime image of the same version.",
    ]


def test_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "launch.json"
    path.write_bytes(b'{"format": "\xe9"}')
    with pytest.raises(BadLaunchPlanError, match="UnicodeDecodeError"):
        launch_plan.read(str(path))
