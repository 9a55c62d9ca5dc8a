"""taxiway completion."""

import click
from click.shell_completion import get_completion_class


@click.command("completion", short_help="Write the shell completion for bash, zsh or fish.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Write the completion script of SHELL to stdout.

    \b
    bash:  eval "$(taxiway completion bash)"       in ~/.bashrc
    zsh:   eval "$(taxiway completion zsh)"        in ~/.zshrc
    fish:  taxiway completion fish | source        in ~/.config/fish/config.fish
    """
    from taxiway.cli import taxiway  # noqa: PLC0415  # the group that imports this module

    found = get_completion_class(shell)
    assert found is not None  # noqa: S101  # the choice above lists what click has
    click.echo(found(taxiway, {}, "taxiway", "_TAXIWAY_COMPLETE").source())
