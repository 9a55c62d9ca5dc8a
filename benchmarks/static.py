"""Static files: requests a second from each server, against nginx with the same files."""

import re
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import harness
import measure

SERVERS = {"mod_wsgi": "wsgi", "gunicorn": "wsgi", "uwsgi": "wsgi", "waitress": "wsgi", "uvicorn": "asgi", "granian": "asgi"}
FILES = {"app.css": 8 * 1024, "large.bin": 1024 * 1024}
SECONDS = 3
WSGI_APP = "def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'application']\n"
ASGI_APP = """\
async def application(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"application"})
"""
NGINX = f"""\
FROM {harness.BUILDER}
USER 0
RUN apt-get update && apt-get install --yes --no-install-recommends nginx-light
COPY public /srv/static
RUN printf 'worker_processes 2; pid /tmp/nginx.pid; error_log stderr; events {{}}\\n\
http {{ include mime.types; access_log /dev/stdout; sendfile on; server {{ listen 8080; root /srv; }} }}' >/etc/nginx/nginx.conf
CMD ["nginx", "-g", "daemon off;"]
"""
TAXIWAY = f"""\
FROM {harness.BUILDER}
ENV TAXIWAY_SERVER={{server}} TAXIWAY_APP={{module}}:application WEB_CONCURRENCY=2
COPY --chown=1001:0 . /tmp/src
RUN /usr/libexec/s2i/assemble
CMD ["/usr/libexec/s2i/run"]
"""


def requests_a_second(image: str) -> list[float]:
    """Ask a container for each file, with 8 connections that are kept."""
    wrk = harness.run(str(harness.ROOT / "scripts" / "wrk.sh")).text.splitlines()[-1]
    with harness.container(image) as running:
        running.wait("/static/app.css")
        return [
            _rate([wrk, "--threads=1", "--connections=8", f"--duration={SECONDS}", _url(running.port, name)]) for name in FILES
        ]


def _url(port: int, name: str) -> str:
    return f"http://127.0.0.1:{port}/static/{name}"


def _rate(argv: Sequence[str]) -> float:
    found = re.search(r"Requests/sec:\s+([\d.]+)", harness.run(*argv).text)
    return float(found[1]) if found else 0.0


def main() -> None:
    """Print the table."""
    with TemporaryDirectory() as directory, ExitStack() as cleaning:
        source = Path(directory, "source")
        (source / "public").mkdir(parents=True)
        for name, size in FILES.items():
            (source / "public" / name).write_bytes(b"x" * size)
        (source / "wsgi.py").write_text(WSGI_APP)
        (source / "asgi.py").write_text(ASGI_APP)
        (source / "pyproject.toml").write_text('[tool.taxiway]\nstatic = ["/static/=public"]\n')
        images = {"nginx": NGINX}
        images |= {server: TAXIWAY.format(server=server, module=module) for server, module in SERVERS.items()}
        measured: dict[str, list[float]] = {}
        for server, text in images.items():
            image = f"localhost/{harness.PREFIX}-bench/static-{server}".replace("_", "-")
            harness.podman_build(text, image, source)
            cleaning.callback(harness.podman, "rmi", "--force", image, check=False)
            measured[server] = requests_a_second(image)
        rows = [
            (server, *(f"{rate:.0f} ({rate / best:.2f})" for rate, best in zip(rates, measured["nginx"], strict=True)))
            for server, rates in measured.items()
        ]
        measure.table("Static files: requests a second, and their ratio to nginx", ("server", "8 KiB", "1 MiB"), rows)
