"""taxiway start."""

import os

import click

from taxiway.start import start


@click.command("start", short_help="Start the application under its server (S2I's run).")
@click.option("--app", help="The WSGI callable: package.module:name, or package.module:factory().")
@click.option("--port", type=int, help="The TCP port to listen on.")
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
@click.option("--dry-run", is_flag=True, help="Print the command; run neither hooks nor the server.")
def command(*, dry_run: bool, reload: bool, **options: object) -> None:
    """Start the application under its server: what S2I's run script runs.

    The launch plan of the build and the environment give one command. It is printed, and replaces this process.
    """
    given = {name.replace("_", "-"): value for name, value in options.items() if value != ()}
    start(given, os.environ, dry_run=dry_run, reload=reload)
