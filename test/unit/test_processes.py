"""Process types: which are started, and how several are."""

import pytest

from taxiway import processes, start
from taxiway.errors import UnknownProcessError
from taxiway.launch_plan import LaunchPlan
from taxiway.layout import Layout, runtime_path
from taxiway.processes import Program, select, shell, supervise
from taxiway.servers import Command, Launch
from taxiway.settings import resolve
from taxiway.sizing import Size

DECLARED = (("worker", "python worker.py"), ("release", "./release"), ("clock", "exec ./clock 50% ; date"))
PLAN = LaunchPlan(
    interface="WSGI",
    app="web:app",
    home="site",
    server="gunicorn",
    servers={"gunicorn": "26.0.0"},
    framework=None,
    django_settings=None,
    static=(),
    static_root=None,
    project={},
    project_origin="[tool.taxiway]",
    origins={"app": "APP_MODULE", "server": "default"},
    passed_over=(),
    processes=DECLARED,
)


PROGRAM = ("sh", f"{runtime_path()}/taxiway_runtime/graceful.sh", "program", "21")


def launch(**environ: str) -> Launch:
    settings = resolve(environ=environ, project={})
    return Launch(PLAN, settings, Size(1, 4, "small"), Layout("/opt/app", "/opt/app/src"), environ, "/tmp/100%", "0.0.0.0")


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ("web", ("web",)),
        ("worker", ("worker",)),
        ("release", ("release",)),
        ("worker, web,worker", ("worker", "web")),
        ("all", ("web", "worker", "clock")),
    ],
)
def test_select(asked: str, names: tuple[str, ...]) -> None:
    assert select(asked, DECLARED, "TAXIWAY_PROCESS") == names


@pytest.mark.parametrize(("asked", "name"), [("wroker", "'wroker'"), ("web,", "''"), ("web,all", "'all'")])
def test_unknown_type(asked: str, name: str) -> None:
    with pytest.raises(UnknownProcessError) as caught:
        select(asked, DECLARED, "TAXIWAY_PROCESS")
    assert str(caught.value) == (
        f"There is no process type {name} (TAXIWAY_PROCESS) in this image; it has web, worker, release, clock.\n\n"
        "Ask for one of these, for several with commas between them, or for all: TAXIWAY_PROCESS=web,worker\n"
        "Others are declared in a Procfile, or in [tool.taxiway.processes], before the image is built."
    )


def test_one_type(capsys: pytest.CaptureFixture[str]) -> None:
    command, env = start.prepare(launch(TAXIWAY_PROCESS="worker", FORWARDED_ALLOW_IPS="*"))
    assert command == Command(argv=(*PROGRAM, "bash", "-c", "python worker.py"), directory="/opt/app/src")
    assert env == {"TAXIWAY_PROCESS": "worker"}
    assert capsys.readouterr().out == "---> Starting the process type worker: python worker.py\n"


def test_several_types() -> None:
    command, _ = start.prepare(launch(TAXIWAY_PROCESS="web,clock"))
    assert command.argv == (
        *("/opt/app/bin/python", "-P", "-m", "taxiway_runtime.supervise", "/tmp/100%/supervisord.conf"),
        *("web", "clock"),
    )
    assert "GUNICORN_CMD_ARGS" in command.unset
    files = dict(command.files)
    web = files["/tmp/100%/process-web.sh"]
    assert web.startswith("cd /opt/app/src/site\nexport TAXIWAY_PROCESS=web\nexec ")
    assert "/opt/app/bin/gunicorn" in web
    assert files["/tmp/100%/process-clock.sh"] == (
        f"cd /opt/app/src\nexport TAXIWAY_PROCESS=clock\nexec 3>&-\nexec {' '.join(PROGRAM)} bash -c 'exec ./clock 50% ; date'\n"
    )
    configuration = files["/tmp/100%/supervisord.conf"]
    assert "programs=web,clock\n" in configuration
    assert "[program:clock]\ncommand=bash /tmp/100%%/process-clock.sh\n" in configuration
    assert "stopwaitsecs=25\n" in configuration


def test_what_the_server_needs_before_is_kept() -> None:
    server = Command(argv=("a",), fresh="/tmp/x", files=(("/tmp/y", "text"),), prepare=("make", "it"))
    found = supervise([Program("web", server), Program("worker", shell("b", launch()))], launch())
    assert (found.fresh, found.files[0], found.prepare) == ("/tmp/x", ("/tmp/y", "text"), ("make", "it"))


def test_names_agree() -> None:
    """Detection has them as well, and needs no module of the start."""
    from taxiway.detect import procfile  # noqa: PLC0415

    assert (processes.WEB, processes.ALL, processes.RELEASE) == (procfile.WEB, procfile.ALL, procfile.RELEASE)
