"""A person at a terminal: `taxiway image`, and the image run by Podman. What comes before is in test/local/test_session.py."""

import shutil
import sys
import uuid
from pathlib import Path

import harness
from terminal import SETUP, SUPERUSER, Terminal, get


def test_image_and_run(tmp_path: Path, image_name: str) -> None:
    source = harness.copy_app(harness.ROOT / "examples" / "django-polls", tmp_path / "polls")
    hook = source / ".taxiway" / "hooks" / "setup"
    hook.write_text(SETUP)
    hook.chmod(0o755)
    program = tmp_path / "bin" / "taxiway"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m taxiway "$@"\n')
    program.chmod(0o755)
    env = {**harness.environ(), "PS1": "$ ", "TERM": "xterm", "PYTHONPATH": str(harness.ROOT / "src")}
    env["PATH"] = f"{program.parent}:{env['PATH']}"
    terminal = Terminal(shutil.which("bash") or "/bin/bash", source, env)
    terminal.child.timeout = 180
    name, port = f"taxiway-test-{uuid.uuid4().hex[:12]}", harness.free_port()
    variables = " ".join(f"--env {key}='{value}'" for key, value in SUPERUSER.items())
    try:
        terminal.type(f"taxiway image {image_name} --builder-image {harness.BUILDER} --runtime-image {harness.RUNTIME}")
        terminal.see(f"Built {image_name}. Start it: podman run", "$ ")
        terminal.type(f"podman run --detach --name {name} --publish 127.0.0.1:{port}:8080 {variables} {image_name}; echo started")
        terminal.see("started\r\n", "$ ")
        assert get(port, "/admin/login/")[0] == 200
        terminal.type(f"podman exec {name} taxiway setup")
        terminal.see("Superuser created successfully", "$ ")
        terminal.type(f"podman stop --time 25 {name} && podman inspect --format 'ended with {{{{.State.ExitCode}}}}' {name}")
        terminal.see("ended with 0", "$ ")
    finally:
        terminal.child.close(force=True)
        harness.podman("rm", "--force", "--time=1", name, check=False)
