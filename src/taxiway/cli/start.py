"""taxiway start."""

import os
from pathlib import Path

import click

from taxiway import console
from taxiway.cli.local import project_option
from taxiway.layout import is_image
from taxiway.start import start


@click.command("start", short_help="Start the application under its server (S2I's run).")
@click.argument("application", required=False)
@click.option("--app", help="The same as APPLICATION.")
@click.option("--port", type=int, help="The TCP port to listen on; 8080 by default.")
@click.option("--host", help="The address to listen at. Default: all of a container's; on a laptop this machine's own.")
@click.option("--server", help="The server: mod_wsgi, gunicorn, uvicorn, ...; on a laptop it is installed.")
@click.option("--processes", type=int, help="Worker processes.")
@click.option("--threads", type=int, help="Threads of each worker process.")
@click.option("--server-args", help="Arguments added to the server's command.")
@click.option(
    "--trust-proxy", multiple=True, metavar="PROXY", help="Address, network or preset of proxies to believe; repeatable."
)
@click.option(
    *("--trust-proxy-header", "trust_proxy_headers"), multiple=True, metavar="HEADER", help="A header of theirs; repeatable."
)
@click.option("--trust-proxy-hops", type=int, help="How many proxies a request passes at most.")
@click.option("--reload", is_flag=True, help="For development: start anew after each change of the source.")
@click.option("--open", "browse", is_flag=True, help="Open the page in a browser when the server answers.")
@click.option("--dry-run", is_flag=True, help="Print the command; run neither hooks nor the server.")
@project_option
def command(
    *, application: str | None, dry_run: bool, reload: bool, browse: bool, project: str | None, **options: object
) -> None:
    """Start the application under its server: what S2I's run script runs in a container.

    APPLICATION is what to start in place of what the build found: package.module:name, package.module:factory(), or a script
    file of mod_wsgi, hello.wsgi.

    On a laptop the environment of this directory is built first, if something changed. Then as in a container the launch plan and
    the environment give one command, which is printed and replaces this process. Ctrl-C stops the server, with status 0.
    """
    options["app"] = options["app"] or application
    given = {name.replace("_", "-"): value for name, value in options.items() if value != ()}
    environ = dict(os.environ)
    if not is_image(environ):
        from taxiway.local import build, environments  # noqa: PLC0415  # a container's start doesn't need it

        environment = environments.choose(environ, Path.cwd(), project)
        environ = environments.activated(environment, environ)
        if server := given.get("server"):
            environ["TAXIWAY_SERVER"] = str(server)  # for the build as well
        why = build.reasons(environment, environ)
        console.step(f"Environment {environment.name} for {environment.source}{': nothing to build' * (not why)}")
        if why:
            console.step(f"Building it ({'; '.join(why)})")
            build.build(environment, environ)
    start(given, environ, dry_run=dry_run, reload=reload, browse=browse)
