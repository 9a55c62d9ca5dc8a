"""`taxiway doctor` on this machine, and in a bare Debian."""

import json
import os
import subprocess
import sys
from pathlib import Path

import harness

TAXIWAY = [sys.executable, "-m", "taxiway"]


def test_this_machine(tmp_path: Path) -> None:
    """The engine that runs these tests is found to work, by a container that really ran."""
    ran = subprocess.run(
        [*TAXIWAY, "doctor", "--json", "--offline", tmp_path], capture_output=True, text=True, check=False, env=harness.environ()
    )
    found = [row["text"] for row in json.loads(ran.stdout.partition("\n]")[0] + "]") if row["state"] == "ok"]
    assert any(text.startswith("podman runs containers (") for text in found), ran


def test_a_bare_debian() -> None:
    """All that is missing is named, and apt-get knows each package to install. Python comes from the runtime image."""
    environ = {
        "PYTHONHOME": "/tool/usr",
        "LD_LIBRARY_PATH": f"/tool/usr/lib/{os.uname().machine}-linux-gnu",
        "PYTHONPATH": "/tool/opt/taxiway/lib/python3.13/site-packages",
    }
    python = f"{' '.join(f'{name}={value}' for name, value in environ.items())} /tool/usr/bin/python3.13"
    script = (
        f"cd /srv; {python} -m taxiway doctor --offline --json >found || echo $? >&2; "
        """apt-get update >/dev/null; """
        f'{python} -c \'import json; [print(row["fix"]) for row in json.load(open("found"))]\' | '
        "sed -n 's/.*apt-get install //p' | xargs apt-get install --simulate >/dev/null; cat found"
    )
    ran = harness.podman(
        *("run", "--rm", f"--mount=type=image,src={harness.RUNTIME},dst=/tool"),
        *("localhost/taxiway-base:trixie", "sh", "-euc", script),
    )
    found = json.loads(ran.text[ran.text.index("[\n") :])
    missing = {row["text"].split(":")[0].split(";")[0].split(",")[0] for row in found if row["state"] == "missing"}
    assert missing == {
        "this Python can't make virtual environments",
        "git",
        "uv",
        "no C compiler",
        "no headers of Python 3.13 (Python.h)",
        "Apache's apxs and headers",
        "no container engine",
        "no s2i",
    }
    assert not [row for row in found if row["state"] == "wrong"]
