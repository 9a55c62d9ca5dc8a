"""`taxiway start --open`: the page in a browser, as soon as the server answers.

The start becomes the server, so this is a process of its own: `python -m taxiway.local.browser PORT`.
"""

import socket
import subprocess
import sys
import time
import webbrowser
from collections.abc import Mapping

_LIMIT_S = 60
_PAUSE_S = 0.2


def open_later(port: int, environ: Mapping[str, str]) -> None:
    """Start what waits for the server; it ends by itself."""
    subprocess.Popen(
        [sys.executable, "-m", "taxiway.local.browser", str(port)],
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def main(port: int) -> None:
    """Wait until something listens, and open its page."""
    deadline = time.monotonic() + _LIMIT_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("localhost", port), timeout=_PAUSE_S).close()
        except OSError:
            time.sleep(_PAUSE_S)
            continue
        webbrowser.open(f"http://localhost:{port}/")
        return


if __name__ == "__main__":
    main(int(sys.argv[1]))
