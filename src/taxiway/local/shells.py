"""Activating an environment in bash, zsh and fish: by a shell in the shell, or by `eval`.

What is written here only changes a shell's variables and prompt, and undoes that: `deactivate`, or `taxiway deactivate`.
"""

import os
from pathlib import Path
from typing import NamedTuple

from taxiway.console import quote
from taxiway.local.environments import Environment

NAMES = ("bash", "zsh", "fish")

_POSIX = """\
# Written by taxiway for bash and zsh: activates {name}.
if typeset -f deactivate >/dev/null; then deactivate; fi
_taxiway_path="$PATH"
_taxiway_prompt="${{PS1-}}"
export APP_ROOT={path}
export VIRTUAL_ENV={path}
export VIRTUAL_ENV_PROMPT={name}
export PATH={bin}:"$PATH"
PS1={prompt}"${{PS1-}}"
deactivate() {{
  PATH="$_taxiway_path"
  PS1="$_taxiway_prompt"
  unset APP_ROOT VIRTUAL_ENV VIRTUAL_ENV_PROMPT _taxiway_path _taxiway_prompt
  unset -f deactivate taxiway
  hash -r
}}
taxiway() {{
  if [ "${{1-}}" = deactivate ]; then deactivate; else command taxiway "$@"; fi
}}
hash -r
"""

_FISH = """\
# Written by taxiway for fish: activates {name}.
functions -q deactivate; and deactivate
set -g _taxiway_path $PATH
set -gx APP_ROOT {path}
set -gx VIRTUAL_ENV {path}
set -gx VIRTUAL_ENV_PROMPT {name}
set -gx PATH {bin} $PATH
functions -q fish_prompt; and functions -c fish_prompt _taxiway_prompt
function fish_prompt
    printf '%s' {prompt}
    functions -q _taxiway_prompt; and _taxiway_prompt
end
function deactivate
    set -gx PATH $_taxiway_path
    set -e APP_ROOT; set -e VIRTUAL_ENV; set -e VIRTUAL_ENV_PROMPT; set -e _taxiway_path
    functions -e fish_prompt taxiway deactivate
    functions -q _taxiway_prompt; and functions -c _taxiway_prompt fish_prompt
    functions -e _taxiway_prompt
end
function taxiway
    if test "$argv[1]" = deactivate
        deactivate
    else
        command taxiway $argv
    end
end
"""

# In a shell of its own there is nothing to go back to but the shell before.
_LEAVE = {"bash": "deactivate() { exit 0; }\n", "zsh": "deactivate() { exit 0; }\n", "fish": "function deactivate; exit 0; end\n"}


class Shell(NamedTuple):
    """How to start a shell in which an environment is active."""

    argv: tuple[str, ...]
    files: tuple[tuple[str, str], ...]
    """Files to write before, by their path."""
    variables: tuple[tuple[str, str], ...] = ()


def which(told: str | None, login_shell: str) -> str:
    """Return the name of the shell to speak to: the one that was told, else the user's own, else bash."""
    name = told or os.path.basename(login_shell)
    return name if name in NAMES else "bash"


def code(environment: Environment, shell: str) -> str:
    """Write what activates an environment in a running shell; pure."""
    template = _FISH if shell == "fish" else _POSIX
    return template.format(
        name=quote(environment.name),
        path=quote(str(environment.path)),
        bin=quote(environment.layout.bin),
        prompt=quote(f"({environment.name}) "),
    )


def inside(environment: Environment, shell: str, home: str, zdotdir: str) -> Shell:
    """Describe a shell with its user's own configuration, in which an environment is active; pure.

    Args:
        environment: The environment.
        shell: One of `NAMES`.
        home: The user's directory.
        zdotdir: Where zsh looks for its files, if not there.
    """
    directory = Path(environment.layout.state, "shell")
    text = code(environment, shell) + _LEAVE[shell]
    if shell == "fish":
        file = str(directory / "activate.fish")
        return Shell(("fish", "--init-command", f"source {quote(file)}"), ((file, text),))
    if shell == "zsh":
        own = quote(zdotdir or home)
        reads = f"ZDOTDIR={own}\n[ ! -r {own}/NAME ] || . {own}/NAME\n"
        environment_file = reads.replace("NAME", ".zshenv") + f"ZDOTDIR={quote(str(directory))}\n"
        files = (
            (str(directory / ".zshenv"), environment_file),
            (str(directory / ".zshrc"), reads.replace("NAME", ".zshrc") + text),
        )
        return Shell(("zsh", "-i"), files, (("ZDOTDIR", str(directory)),))
    file = str(directory / "bashrc")
    bashrc = quote(f"{home}/.bashrc")
    return Shell(("bash", "--rcfile", file, "-i"), ((file, f"[ ! -r {bashrc} ] || . {bashrc}\n{text}"),))
