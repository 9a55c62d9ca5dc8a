"""Shows what the hooks and the environment files have left."""

import os
from pathlib import Path

import written_by_build

HERE = Path(__file__).parent


def application(environ, start_response):
    """Answer with the traces, then with the server's own view of the environment files."""
    traces = (HERE / "generated/pre-build.txt", HERE / "generated/build.txt", Path(os.environ.get("TMPDIR", "/tmp"), "hooks.txt"))
    lines = [line for trace in traces for line in trace.read_text(encoding="utf-8").splitlines()]
    lines.append(f"deploy-cfg ran {sum(line.startswith('deploy-cfg ') for line in lines)} time(s)")
    lines.append(f"deploy ran {sum(line.startswith('deploy ') for line in lines)} time(s)")
    lines.append(written_by_build.FACT)
    for name in ("FROM_ENVIRONMENT", "FROM_BUILD_ENV", "FROM_DEPLOY_ENV"):
        lines.append(f"server has {name}: {os.environ.get(name, 'no')}")
    body = "".join(f"{line}\n" for line in lines).encode()
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]
