"""taxiway proxy."""

from pathlib import Path

import click

from taxiway import front_ends
from taxiway.assemble import resolve_settings
from taxiway.cli import build_environment


@click.command("proxy", short_help="Write the configuration of a front end, and the settings that trust it.")
@click.argument("kind", type=click.Choice(front_ends.NAMES))
@click.argument("source", type=click.Path(path_type=Path, exists=True, file_okay=False), default=".")
@click.option("--host", "hosts", multiple=True, metavar="NAME", help="A public name of the application; repeatable.")
@click.option("--upstream", metavar="ADDRESS:PORT", help="Where the application listens; for openshift-route SERVICE:PORT.")
@click.option("--site", "sites", multiple=True, metavar="NAME=ADDRESS:PORT", help="A name with its own upstream; repeatable.")
@click.option("--certificate", metavar="FILE", help="The certificate chain in PEM; {host} in it stands for the name.")
@click.option("--key", metavar="FILE", help="The certificate's key; {host} in it stands for the name.")
@click.option("--http-only", is_flag=True, help="No TLS: behind a proxy that ends it, or for tries.")
@click.option("--http-port", type=click.IntRange(1, 65535), default=80, show_default=True, help="Where HTTP is redirected.")
@click.option("--https-port", type=click.IntRange(1, 65535), default=443, show_default=True, help="Where HTTPS is served.")
@click.option("--prefix", default="", metavar="PATH", help="Mount the application below a path, such as /blog.")
@click.option(
    *("--behind-proxy", "behind"),
    multiple=True,
    metavar="NETWORK",
    help="A proxy in front of this front end, or a network of them; repeatable.",
)
@click.option(
    *("--kept-header", "kept"),
    multiple=True,
    metavar="HEADER",
    help="A header that those proxies set; repeatable. Default: the four that a front end written by this command sets.",
)
@click.option(
    *("--address", "addresses"),
    multiple=True,
    metavar="NETWORK",
    help="What the application sees the front end as: address, network or preset. Default: of a loopback upstream.",
)
@click.option("--settings", "only_settings", is_flag=True, help="Print the application's settings instead, for --env-file.")
def command(*, kind: str, source: Path, only_settings: bool, **options: object) -> None:
    """Write the configuration of a front end for the application in SOURCE to stdout.

    It ends TLS, redirects HTTP to HTTPS, refuses unknown names, lets WebSockets through, waits as long as the application's
    request-timeout says, refuses bodies above its max-body, and sets the headers that tell the application its public URL and its
    client: these, from this front end, are what the settings at its top trust.

    \b
    taxiway proxy nginx --host blog.example.com --upstream 127.0.0.1:8080 \\
        --certificate /etc/ssl/blog.pem --key /etc/ssl/blog.key
    """
    settings = resolve_settings(build_environment(source), source)
    front_end = front_ends.parse(
        kind,
        request_timeout_s=settings.request_timeout,
        max_body_bytes=settings.max_body,
        **options,  # type: ignore[arg-type]  # as click makes them
    )
    click.echo("\n".join(front_end.settings) if only_settings else front_ends.render(kind, front_end).rstrip("\n"))
