"""Starting anew after each change of the source."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from trees import Tree

from taxiway import reload

SERVE = """\
import sys
sys.path.insert(0, sys.argv[1])
from taxiway import reload
from taxiway.servers import Command
sys.exit(reload.serve(Command(argv=("sh", "serve.sh")), {}, sys.argv[2], sys.argv[2], lambda: print("prepared", flush=True)))
"""


def test_snapshot(tree: Tree) -> None:
    """Neither bytecode nor what is hidden is watched."""
    top = tree({"web.py": "", "a/page.html": "", "__pycache__/x.pyc": "", ".git/index": "", "node_modules/x.js": ""})
    before = reload.snapshot(str(top))
    assert sorted(before) == ["a/page.html", "web.py"]
    os.utime(top / "web.py", ns=(1, 1))
    (top / "a/page.html").unlink()
    (top / "new.py").touch()
    assert reload.different(before, reload.snapshot(str(top))) == {"web.py", "a/page.html", "new.py"}
    assert reload.different(before, before) == set()


@pytest.mark.programs
def test_serve(tree: Tree) -> None:
    """Changed while it runs, and after it failed; then stopped."""
    script = "trap 'exit 0' TERM; echo {0}; while :; do sleep 0.05; done\n"
    top = tree({"serve.sh": script.format("one")})
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(Path(reload.__file__).parents[1]), str(top)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout
        lines = iter(process.stdout.readline, "")
        assert [next(lines) for _ in range(2)] == ["prepared\n", "one\n"]
        (top / "serve.sh").write_text("exit 4\n")
        assert next(lines) == "---> Changed: serve.sh; starting again\n"
        assert [next(lines) for _ in range(2)] == [
            "prepared\n",
            "warning: The server ended with 4; waiting for a change of the source.\n",
        ]
        (top / "serve.sh").write_text(script.format("two"))
        assert [next(lines) for _ in range(2)] == ["prepared\n", "two\n"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # the server too: it has the other end of stdout
        process.communicate()
