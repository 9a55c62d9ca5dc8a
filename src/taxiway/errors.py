"""Every expected failure: its code, its exit status and its text.

Each text has a headline, what was found, and what to do. Codes and exit statuses are documented in docs/errors.md and stay
as they are. S2I takes an output line that matches `tar.*not found` for an image without tar, so the texts say "couldn't find".
This module is on the way of every container start and imports nothing but types.
"""

from collections.abc import Iterable, Mapping, Sequence


class TaxiwayError(Exception):
    """Base of all expected failures; shown without a traceback."""

    code = "error"
    exit_status = 1


def _listing(items: Iterable[str]) -> str:
    return "".join(f"\n  {item}" for item in items)


def _some(items: Sequence[str], most: int = 5) -> list[str]:
    """Leave out what S2I's report has no room for."""
    return [*items[:most], *([f"and {len(items) - most} more"] if len(items) > most else [])]


_TAIL = 500  # characters: S2I's report has room for a kilobyte, and what to do comes after


def _tail(output: str) -> str:
    lines = [line[:_TAIL] for line in output.splitlines()[-12:]]
    while len(lines) > 1 and len("\n".join(lines)) > _TAIL:
        del lines[0]
    return f"\n\nThe last lines of its output:{_listing(lines)}" if output.strip() else ""


class NotHealthyError(TaxiwayError):
    """A probe found the server not to be alive, or not to be ready."""

    code = "not-healthy"
    exit_status = 1  # the only failure that Docker's and Podman's health checks know

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"The server isn't {name}: {reason}.\n\n"
            f"A hook {name} takes the place of this question; health-path and health-host say what is asked for."
        )


class ProblemsFoundError(TaxiwayError):
    """`taxiway doctor` found something that doesn't work, or lacks what was asked for."""

    code = "problems-found"
    exit_status = 1

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(
            f"Not all is well here:{_listing(_some(problems))}\n\nWhat to do stands with each; then type taxiway doctor again."
        )


class UnknownSettingError(TaxiwayError):
    """A TAXIWAY_* variable or a key of [tool.taxiway] that doesn't exist."""

    code = "unknown-setting"
    exit_status = 2

    def __init__(self, unknown: Mapping[str, str | None], where: str) -> None:
        lines = [f"{name}" + (f" (did you mean {nearest}?)" if nearest else "") for name, nearest in unknown.items()]
        super().__init__(
            f"Unknown settings in {where}:{_listing(lines)}\n\nCorrect or remove them. All settings: taxiway settings --help"
        )


class BadSettingError(TaxiwayError):
    """A setting with a value of the wrong form."""

    code = "bad-setting"
    exit_status = 2

    def __init__(self, name: str, value: object, origin: str, expected: str) -> None:
        super().__init__(
            f"The setting {name} has a value that can't be used.\n"
            f"Found {value!r} in {origin}; expected {expected}.\n\n"
            f"Correct it there. What it means: taxiway settings --help"
        )


class AlreadyThereError(TaxiwayError):
    """A file that would be written is there already."""

    code = "already-there"
    exit_status = 2

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            f"Not written, because it is there already:{_listing(names)}\n\n"
            "See what would be written with --dry-run; have it replaced with --force."
        )


class UnknownTopicError(TaxiwayError):
    """`taxiway explain` is asked about something else than a code or a setting."""

    code = "unknown-topic"
    exit_status = 2

    def __init__(self, topic: str, near: Sequence[str]) -> None:
        super().__init__(
            f"There is neither an error nor a setting of the name {topic}; near to it: {', '.join(near) or 'none'}.\n\n"
            "All codes: taxiway explain. All settings: taxiway settings."
        )


class BadFrontEndError(TaxiwayError):
    """Options of `taxiway proxy` that can't be used."""

    code = "bad-front-end"
    exit_status = 2

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(
            f"No front end can be configured from this:{_listing(problems)}\n\n"
            "An example: taxiway proxy nginx --host blog.example.com --upstream 127.0.0.1:8080 \\\n"
            "  --certificate /etc/ssl/blog.pem --key /etc/ssl/blog.key"
        )


class BadProxyPolicyError(TaxiwayError):
    """Settings of trusted proxies that can't be used, or not together."""

    code = "bad-proxy-policy"
    exit_status = 2

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(
            f"The settings of trusted proxies can't be used:{_listing(problems)}\n\n"
            "Name the proxies and the headers that they set, or a preset; docs/proxies.md has recipes:\n"
            '  TAXIWAY_TRUST_PROXY="10.1.2.0/24" TAXIWAY_TRUST_PROXY_HEADERS="X-Forwarded-For X-Forwarded-Proto"\n'
            "  TAXIWAY_TRUST_PROXY=openshift"
        )


class BadConfigFileError(TaxiwayError):
    """pyproject.toml or taxiway.toml can't be read."""

    code = "bad-config-file"
    exit_status = 2

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"Couldn't read {path}: {reason}.\n\nCorrect the file; it has to be valid TOML.")


class BadProcessesError(TaxiwayError):
    """A Procfile, or the table of processes, that can't be read."""

    code = "bad-processes"
    exit_status = 2

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(
            f"Couldn't read the process types:{_listing(problems)}\n\n"
            "Expected, in a Procfile, a line for each:\n"
            "  worker: python worker.py\n"
            'or, in pyproject.toml, below [tool.taxiway.processes]:\n  worker = "python worker.py"\n'
            'A name has letters, digits, - and _ only; "all" stands for all of them.'
        )


class BadEnvTableError(TaxiwayError):
    """[tool.taxiway.env] has something else than variables."""

    code = "bad-env-table"
    exit_status = 2

    def __init__(self, origin: str, problems: Sequence[str]) -> None:
        super().__init__(
            f"Couldn't read the variables that the application declares, in the table env of {origin}:{_listing(problems)}\n\n"
            'Expected a table for each: NAME = { required = true, default = "...", secret = true, description = "..." }'
        )


class BadAuditTableError(TaxiwayError):
    """[tool.taxiway.audit] has something else than it may have."""

    code = "bad-audit-table"
    exit_status = 2

    def __init__(self, origin: str, problems: Sequence[str]) -> None:
        super().__init__(
            f"Couldn't read the table audit of {origin}:{_listing(problems)}\n\n"
            "Expected the keys profile, fail-on and max-size, and for each accepted finding:\n"
            "  [[tool.taxiway.audit.waivers]]\n"
            '  rule = "S6"\n  path = "/opt/app-root/src/.git"\n  reason = "the page shows the commit"\n  expires = 2030-01-31'
        )


class MissingVariablesError(TaxiwayError):
    """Variables that the application requires aren't set."""

    code = "missing-variables"
    exit_status = 2

    def __init__(self, names: Sequence[str], descriptions: Sequence[str]) -> None:
        rows = [": ".join(filter(None, row)) for row in zip(names, descriptions, strict=True)]
        super().__init__(
            f"The application needs environment variables that aren't set, or are empty:{_listing(rows)}\n\n"
            f"Set each, for example with --env {names[0]}=..., or {names[0]}_FILE to the path of a mounted file that holds it.\n"
            "All that the application declares: taxiway settings --env"
        )


class VariableFileError(TaxiwayError):
    """A file that holds a variable's value can't be used."""

    code = "bad-variable-file"
    exit_status = 2

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(
            f"Couldn't take environment variables from mounted files:{_listing(problems)}\n\n"
            "Mount the file so that the container's user can read it (group 0), or set the variable itself."
        )


class PipenvAndMicropipenvError(TaxiwayError):
    """Two variables that exclude each other; status and rule are those of s2i-python-container."""

    code = "pipenv-and-micropipenv"
    exit_status = 3

    def __init__(self) -> None:
        super().__init__(
            "ENABLE_PIPENV and ENABLE_MICROPIPENV are both set; expected one of them at most.\n\n"
            "Remove one; without either, taxiway finds the lock by itself."
        )


class NoSourceError(TaxiwayError):
    """There is no application source to build."""

    code = "no-source"
    exit_status = 3

    def __init__(self, path: str) -> None:
        super().__init__(
            f"There is no application source in {path}.\n"
            "S2I uploads it there; in a Dockerfile copy it first:\n\n"
            f"  COPY --chown=1001:0 . {path}"
        )


class UnreadableSourceError(TaxiwayError):
    """The uploaded source can't be put in place."""

    code = "unreadable-source"
    exit_status = 3

    def __init__(self, reason: str, user: int) -> None:
        super().__init__(
            f"Couldn't put the source in place: {reason}.\n\n"
            f"The build runs as user {user} in group 0, who has to be able to read all files and directories.\n"
            "In a Dockerfile: COPY --chown=1001:0 . /tmp/src"
        )


class NoAppHomeError(TaxiwayError):
    """APP_HOME names a directory that isn't there."""

    code = "no-app-home"
    exit_status = 3

    def __init__(self, home: str, origin: str, found: Sequence[str]) -> None:
        super().__init__(
            f"The application's directory {home} ({origin}) isn't in the source.\n"
            f"Directories there: {', '.join(found) or 'none'}.\n\n"
            "Set app-home in [tool.taxiway], or APP_HOME, to a directory relative to the top of the source."
        )


class NoEntryPointError(TaxiwayError):
    """Nothing in the source says what to start."""

    code = "no-entry-point"
    exit_status = 3

    def __init__(
        self, looked_for: Sequence[str], found: Sequence[str], rejected: Sequence[str] = (), aside: Sequence[str] = ()
    ) -> None:
        unusable = f"\nNot looked into: {', '.join(aside)}." if aside else ""
        unusable += f"\nFound, but not to be started as it is:{_listing(rejected)}" if rejected else ""
        super().__init__(
            "Couldn't work out how to start the application.\n"
            f"Looked for:{_listing(looked_for)}\n"
            f"Found at the top of the source: {', '.join(found) or 'nothing'}.{unusable}\n\n"
            "Add one of those, or name the WSGI or ASGI callable, for example:\n"
            '  APP_MODULE=shop.web:app          (environment, .s2i/environment, "s2i build -e")\n'
            '  [tool.taxiway] app = "shop.web:app"    (pyproject.toml)'
        )


class SeveralEntryPointsError(TaxiwayError):
    """More than one thing could be the application."""

    code = "several-entry-points"
    exit_status = 3

    def __init__(self, candidates: Sequence[str], key: str, variable: str) -> None:
        super().__init__(
            f"More than one could be the application:{_listing(candidates)}\n\n"
            f"Say which one, in pyproject.toml or in the environment:\n  [tool.taxiway] {key}\n  {variable}"
        )


class NoAppFileError(TaxiwayError):
    """APP_FILE or APP_SCRIPT names a file that isn't there."""

    code = "no-app-file"
    exit_status = 1  # as with s2i-python-container

    def __init__(self, name: str, origin: str, found: Sequence[str]) -> None:
        super().__init__(
            f"There is no file {name} ({origin}) in the application's directory.\n"
            f"Found there: {', '.join(found) or 'nothing'}.\n\n"
            f"Correct {origin}, or remove it: then the application is looked for."
        )


class NotebookError(TaxiwayError):
    """There are notebooks, and nothing that could show them."""

    code = "notebook-without-server"
    exit_status = 3

    def __init__(self, notebooks: Sequence[str]) -> None:
        super().__init__(
            f"There are notebooks only ({', '.join(notebooks)}), and no program that shows them is in the requirements.\n\n"
            "Add voila to them, which shows a notebook's results as a page, or jupyterlab, in which whoever has its token\n"
            "runs what they like."
        )


class BadEntryPointError(TaxiwayError):
    """The entry point was found or told, but importing it shows that it can't be it."""

    code = "bad-entry-point"
    exit_status = 3

    def __init__(self, app: str, origin: str, reason: str) -> None:
        super().__init__(
            f"The application {app} ({origin}) can't be started: {reason}.\n\n"
            "Expected a WSGI callable, as package.module:name, or package.module:factory() for one that makes it.\n"
            "Set APP_MODULE, or app in [tool.taxiway], to it."
        )


class UnsupportedInterfaceError(TaxiwayError):
    """The server can't run this kind of application."""

    code = "unsupported-interface"
    exit_status = 3

    def __init__(self, app: str, interface: str, server: str, origin: str, fitting: Sequence[str]) -> None:
        what = {
            "python": f"{app} is a Python program",
            "shell": f"{app} is an executable file",
            "command": f"What is started is a command, {app}",
        }.get(interface, f"The application {app} speaks {interface}")
        super().__init__(
            f"{what}, which the server {server} ({origin}) can't run.\n"
            f"Servers that can: {', '.join(fitting)}.\n\n"
            "Set TAXIWAY_SERVER, or server in [tool.taxiway], to one of these; or remove it there, and one that fits is chosen."
        )


class ServerNotHereError(TaxiwayError):
    """A server that was asked for can't run on this machine."""

    code = "server-not-here"
    exit_status = 4

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The server can't run on this machine: {reason}.\n\n"
            "Do that, or take another one, such as: taxiway start --server gunicorn"
        )


class UnknownServerError(TaxiwayError):
    """A server that taxiway doesn't know."""

    code = "unknown-server"
    exit_status = 2

    def __init__(self, server: str, origin: str, known: Sequence[str]) -> None:
        super().__init__(
            f"Unknown server {server} ({origin}).\n\n"
            f"Expected one of: {', '.join(known)}. Set TAXIWAY_SERVER, or server in [tool.taxiway]."
        )


class ServerMissingError(TaxiwayError):
    """The chosen server is neither installed nor in the wheelhouse."""

    code = "server-missing"
    exit_status = 4

    def __init__(self, server: str, app_root: str) -> None:
        super().__init__(
            f"The server {server} isn't installed in {app_root}, and there is no wheel of it here.\n\n"
            f"Add it to the application's requirements, or build with the taxiway builder image, which brings it along."
        )


class BadRequirementsError(TaxiwayError):
    """A requirements file that can't be read."""

    code = "bad-requirements"
    exit_status = 4

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(
            f"Couldn't read the requirements:{_listing(problems)}\n\n"
            "Expected the requirements file format: name==version lines, -r FILE, -c FILE, --hash, and pip's other options."
        )


class BadLockError(TaxiwayError):
    """A lock that can't be read."""

    code = "bad-lock"
    exit_status = 4

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(f"Couldn't read {file}: {reason}.\n\nLock again with the tool that wrote it, and commit the result.")


class LockOutdatedError(TaxiwayError):
    """A lock that was made from an older manifest."""

    code = "lock-outdated"
    exit_status = 4

    def __init__(self, lock: str, manifest: str, differences: Sequence[str], refresh: str) -> None:
        super().__init__(
            f"The lock {lock} is older than {manifest}:{_listing(_some(differences))}\n\n"
            f"Lock again, and commit the result: {refresh}\n"
            f'Or have another file read: dependencies = "FILE" in [tool.taxiway].'
        )


class LockedForOtherPythonError(TaxiwayError):
    """A lock for another Python than the application's."""

    code = "lock-for-other-python"
    exit_status = 4

    def __init__(self, file: str, expected: str, found: str) -> None:
        super().__init__(
            f"The lock {file} is for another Python: expected {expected}, found {found}.\n\n"
            "Build with an image of that Python, or change requires-python and lock again."
        )


class UnknownGroupError(TaxiwayError):
    """An extra or group that the lock doesn't have."""

    code = "unknown-group"
    exit_status = 4

    def __init__(self, kind: str, unknown: Sequence[str], file: str, known: Sequence[str]) -> None:
        super().__init__(
            f"Couldn't find the {kind} {', '.join(unknown)} in {file}; there are: {', '.join(known) or 'none'}.\n\n"
            "Correct extras or groups in [tool.taxiway] (TAXIWAY_EXTRAS, TAXIWAY_GROUPS), or lock again."
        )


class MissingLockError(TaxiwayError):
    """A manifest whose lock was forgotten."""

    code = "no-lock"
    exit_status = 4

    def __init__(self, manifest: str, lock: str, command: str) -> None:
        super().__init__(
            f"There is {manifest}, but no {lock}: what would be installed isn't decided.\n\n"
            f"Lock, and commit the result: {command}"
        )


class NoDependenciesFileError(TaxiwayError):
    """The setting `dependencies` names a file that isn't there."""

    code = "no-dependencies-file"
    exit_status = 4

    def __init__(self, name: str, origin: str, found: Sequence[str]) -> None:
        super().__init__(
            f"Couldn't find {name.replace('|', ' or ')} ({origin}) in the source; found: {', '.join(found) or 'none'}.\n\n"
            "Set dependencies in [tool.taxiway], or TAXIWAY_DEPENDENCIES, to a file relative to the top of the source."
        )


class MissingHashesError(TaxiwayError):
    """Some lines of a lock have no hash."""

    code = "missing-hashes"
    exit_status = 4

    def __init__(self, bare: Sequence[str], file: str) -> None:
        super().__init__(
            f"Hashes are missing in {file}; expected at least one for each package, found none for:{_listing(_some(bare))}\n\n"
            "Lock again with the tool that wrote it (pip-compile: --generate-hashes), and commit the result."
        )


class NothingToLockError(TaxiwayError):
    """There is nothing that `taxiway lock` could lock."""

    code = "nothing-to-lock"
    exit_status = 4

    def __init__(self, found: Sequence[str]) -> None:
        super().__init__(
            "There is nothing to lock: expected requirements.in, or [project] in pyproject.toml.\n"
            f"Found: {', '.join(found) or 'neither'}.\n\n"
            "Name the packages that the application imports in requirements.in, one a line. A lock of uv, poetry, pdm or\n"
            "pipenv is refreshed by its own tool."
        )


class NoLockingToolError(TaxiwayError):
    """pip-tools, or uv, isn't installed."""

    code = "no-pip-tools"
    exit_status = 4

    def __init__(self, tool: str) -> None:
        super().__init__(
            f"Couldn't find {tool}, which does the locking.\n\n"
            "Install it (pip install 'taxiway[lock]'), or lock in the builder image, which has it:\n"
            "  podman run --rm --user 0 -v .:/opt/app-root/src localhost/taxiway-builder taxiway lock"
        )


class NoSbomLibraryError(TaxiwayError):
    """cyclonedx-python-lib isn't installed."""

    code = "no-sbom-library"
    exit_status = 9

    def __init__(self) -> None:
        super().__init__(
            "Couldn't find cyclonedx-python-lib, which writes bills of materials.\n\n"
            "Install it (pip install 'taxiway[sbom]'), or use the builder image, which has it:\n"
            "  podman save IMAGE | podman run --rm -i localhost/taxiway-builder taxiway sbom -"
        )


class NothingInstalledError(TaxiwayError):
    """There is no environment of which a bill of materials could be written."""

    code = "nothing-installed"
    exit_status = 9

    def __init__(self, prefix: str) -> None:
        super().__init__(
            f"Couldn't find a virtual environment in {prefix}, nor is this a container of taxiway's.\n\n"
            "Name the image (taxiway sbom IMAGE), or the environment: VIRTUAL_ENV=PATH taxiway sbom"
        )


class NotRootError(TaxiwayError):
    """Files are to be given to root by another user."""

    code = "not-root"
    exit_status = 8

    def __init__(self, uid: int) -> None:
        super().__init__(
            f"Only root can give the application's files to another user than the running one; this is user {uid}.\n\n"
            "In a Dockerfile: USER 0 before the line, and USER 1001 after it."
        )


class NoPythonError(TaxiwayError):
    """There is no interpreter of the version that is to be locked for."""

    code = "no-python"
    exit_status = 4

    def __init__(self, version: str) -> None:
        super().__init__(
            f"Couldn't find Python {version} here; pip-tools can lock only for a Python that it runs by.\n\n"
            f"Install it (uv python install {version}), or lock in the builder image, which has its own:\n"
            "  podman run --rm --user 0 -v .:/opt/app-root/src localhost/taxiway-builder taxiway lock"
        )


class NoInterpreterError(TaxiwayError):
    """No Python of this machine is one that the project asks for."""

    code = "no-interpreter"
    exit_status = 4

    def __init__(self, wanted: str, origin: str, path: str, seen: Sequence[str]) -> None:
        there = f"{path} isn't one." if path else f"Here are:{_listing(_some(seen))}" if seen else "There is none here."
        version = wanted.strip("=<>~*.").split(",")[0].strip("=<>~*.")
        super().__init__(
            f"Couldn't find a Python {wanted}, as {origin} asks for.\n{there}\n\n"
            f"Install one, which taxiway will find, or name another:\n"
            f"  uv python install {version}\n"
            "  taxiway build --python /path/to/python3"
        )


class BadPythonVersionError(TaxiwayError):
    """What says which Python a project wants isn't a version."""

    code = "bad-python-version"
    exit_status = 2

    def __init__(self, found: str, origin: str) -> None:
        super().__init__(
            f"The Python {found!r}, which {origin} asks for, is no version that taxiway can look for.\n\n"
            "Write a version, such as 3.13 or 3.13.1, or give --python the path of an interpreter."
        )


class BrokenInterpreterError(TaxiwayError):
    """The Python of an environment can't be used."""

    code = "broken-interpreter"
    exit_status = 4

    def __init__(self, python: str, output: str) -> None:
        super().__init__(
            f"The Python of this environment, {python}, can't be used.{_tail(output)}\n\n"
            "It may have been removed or replaced. Make the environment anew: taxiway build --clean"
        )


class NoEnvironmentError(TaxiwayError):
    """A command needs a local environment, and there is none."""

    code = "no-environment"
    exit_status = 3

    def __init__(self, wanted: str, there: Sequence[str]) -> None:
        others = f"\nThere are: {', '.join(_some(there))}." if there else ""
        super().__init__(
            f"There is no environment for {wanted}.{others}\n\nBuild one, in the directory of the project: taxiway build"
        )


class BadEnvironmentNameError(TaxiwayError):
    """A name that no local environment can have."""

    code = "bad-environment-name"
    exit_status = 2

    def __init__(self, name: str) -> None:
        super().__init__(
            f"No environment can have the name {name!r}.\n\n"
            "Use letters, digits, dots, - and _, 64 characters at the most, and begin with a letter or digit."
        )


class BuildInImageError(TaxiwayError):
    """A command of the laptop in a container."""

    code = "only-on-a-laptop"
    exit_status = 2

    def __init__(self) -> None:
        super().__init__(
            "This is an image of taxiway, which has one application and no environments of projects.\n\n"
            "An application is built here by: taxiway assemble"
        )


class NotAProjectError(TaxiwayError):
    """A directory that an environment can't be made for."""

    code = "not-a-project"
    exit_status = 2

    def __init__(self, directory: str, reason: str, name: str) -> None:
        super().__init__(
            f"The directory {directory} can't be the source of the environment {name}: {reason}.\n\n"
            "Change to the directory of the application and type the command again; "
            f"taxiway destroy {name} removes an environment that isn't needed any more."
        )


class LockingFailedError(TaxiwayError):
    """pip-tools, or uv, couldn't lock."""

    code = "locking-failed"
    exit_status = 4

    def __init__(self, command: str, reason: str, output: str) -> None:
        super().__init__(
            f"Couldn't lock: {command.split(' ', maxsplit=1)[0]} ended with {reason}.\n"
            f"It was run as: {command}{_tail(output)}\n\n"
            "Correct what is asked for, or the package index that is asked (PIP_INDEX_URL, pip.conf)."
        )


class IncompleteLockError(TaxiwayError):
    """A lock lacks what one of its packages needs."""

    code = "incomplete-lock"
    exit_status = 4

    def __init__(self, file: str, missing: Sequence[str]) -> None:
        super().__init__(
            f"The lock {file} isn't complete; it lacks:{_listing(_some(missing))}\n\n"
            "Lock again with the tool that wrote it, and commit the result."
        )


class ConflictingPinsError(TaxiwayError):
    """A lock whose versions don't fit together, where `strict` is set."""

    code = "conflicting-pins"
    exit_status = 4

    def __init__(self, file: str, conflicting: Sequence[str]) -> None:
        super().__init__(
            f"The lock {file} has versions that don't fit together, which strict refuses:{_listing(_some(conflicting))}\n\n"
            "Lock again with the tool that wrote it, and commit the result. Or set strict = false in [tool.taxiway]."
        )


class UnpinnedError(TaxiwayError):
    """Dependencies without exact version and hash, where `strict` is set."""

    code = "not-locked"
    exit_status = 4

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__(
            f"Not locked, which strict refuses; expected name==version with hashes, found:{_listing(_some(lines))}\n\n"
            "Lock, and commit the result: taxiway lock. Or set strict = false in [tool.taxiway]."
        )


class UnlockedBackEndError(TaxiwayError):
    """A build back end of the project itself that isn't among the builder image's locked wheels, where `strict` is set."""

    code = "unlocked-build-back-end"
    exit_status = 4

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__(
            "What builds the project itself isn't in the builder image in that version, so any version of the index would run, "
            f"which strict refuses:{_listing(_some(lines))}\n\n"
            "Allow the builder image's version in [build-system] requires (its /opt/taxiway/wheelhouse/backends.txt).\n"
            "Or commit a wheelhouse (taxiway wheels), or set install-pyproject = false or strict = false in [tool.taxiway]."
        )


class DependenciesError(TaxiwayError):
    """The installer refused or failed."""

    code = "dependencies-failed"
    exit_status = 4

    def __init__(self, command: str, reason: str, output: str, explained: Sequence[str] = ()) -> None:
        self.command, self.reason, self.output = command, reason, output
        advice = "Correct the requirements and build again."
        if "Hash mismatch" in output or "--require-hashes" in output:
            advice = (
                "A file on the package index isn't the one that was locked, or the lock lacks a hash.\n"
                "If you trust the new file, lock again with the tool that wrote the lock; taxiway lock for a requirements.txt."
            )
        elif "UnknownIssuer" in output or "CERTIFICATE_VERIFY_FAILED" in output:
            advice = (
                "The package index presents a certificate that isn't trusted here. Mount its authority's certificate, as ca.crt\n"
                "in a directory (docs/credentials.md): s2i build -v $PWD/credentials:/etc/taxiway/credentials:ro ...\n"
                "Or the authorities that this machine trusts: s2i build -v /etc/ssl/certs:/etc/ssl/certs:ro ..."
            )
        elif "'apxs'" in output:
            advice = (
                "Another version of mod_wsgi than the builder image's would have to be compiled, but Apache's apxs isn't\n"
                "there. Take mod_wsgi out of the requirements (and their hashes): the builder image brings a version along."
            )
        else:
            from taxiway.dependencies import native  # noqa: PLC0415  # only on the way to this error

            advice = native.advice(output) or advice
        super().__init__(
            f"Couldn't install the requirements: {command.split(' ', maxsplit=1)[0]} ended with {reason}.{_listing(explained)}\n"
            f"It was run as: {command}{_tail(output)}\n\n{advice}"
        )

    def about(self, explained: Sequence[str]) -> "DependenciesError":
        """Return this error with lines of the lock that it is about."""
        return DependenciesError(self.command, self.reason, self.output, explained)


class SystemPackagesError(TaxiwayError):
    """Debian packages that are declared, but not there, where none can be installed."""

    code = "system-packages-missing"
    exit_status = 4

    def __init__(self, packages: Sequence[str]) -> None:
        names = " ".join(packages)
        super().__init__(
            f"The application declares Debian packages that aren't in this image: {names}.\n"
            "This build has no right to install them: it doesn't run as root, or there is no apt-get. Two ways:\n\n"
            "  taxiway image NAME                                 installs them itself\n"
            f"  FROM localhost/taxiway-builder                     a builder image of your own, for s2i\n"
            "  USER 0\n"
            f"  RUN apt-get update && apt-get install --yes --no-install-recommends {names}\n"
            "  USER 1001"
        )


class WheelhouseError(TaxiwayError):
    """The source's wheelhouse hasn't what is pinned."""

    code = "wheelhouse-incomplete"
    exit_status = 4

    def __init__(self, path: str, problems: Sequence[str]) -> None:
        more = f"\n  and {len(problems) - 5} more" * (len(problems) > 5)  # noqa: PLR2004
        super().__init__(
            f"The wheelhouse {path} can't be used. No wheel for this Python of:{_listing(problems[:5])}{more}\n\n"
            "Fill it again, in the builder image: taxiway wheels. Or remove it, and the package index is asked."
        )


class NoPipError(TaxiwayError):
    """`taxiway wheels` where taxiway's own Python has no pip."""

    code = "no-pip"
    exit_status = 8

    def __init__(self) -> None:
        super().__init__(
            "Couldn't import pip, which taxiway wheels needs; it has to be installed beside taxiway.\n\n"
            "In the builder image it is there, and the wheels are for the image's Python:\n"
            '  podman run --rm --user 0 --volume "$PWD:/opt/app-root/src" localhost/taxiway-builder taxiway wheels'
        )


class FilesDifferError(TaxiwayError):
    """Installed files aren't those that were installed."""

    code = "files-differ"
    exit_status = 4

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(
            f"Of the installed files, {len(problems)} aren't as their packages' RECORD has them:{_listing(problems)}\n\n"
            "If nothing was meant to change them, don't trust this image: build it again from the lock."
        )


class SecretFoundError(TaxiwayError):
    """A credential is in a file that the build wrote."""

    code = "secret-in-image"
    exit_status = 4

    def __init__(self, places: Sequence[str]) -> None:
        super().__init__(
            f"Credentials of the package index are in what the build wrote:{_listing(places[:5])}\n\n"
            "They would be in the image, so the build ends here. Take them out of the source, or out of what a hook writes;\n"
            "who has read the files knows them, so change them on the index if they were published."
        )


class BadCredentialsError(TaxiwayError):
    """A file of credentials can't be read."""

    code = "bad-credentials"
    exit_status = 2

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"Couldn't read the credentials {path}: {reason}.\n\n"
            "Correct the file, and let group 0 read it: the build runs as user 1001 in group 0."
        )


class HookNotExecutableError(TaxiwayError):
    """A hook without its run bit."""

    code = "hook-not-executable"
    exit_status = 5

    def __init__(self, path: str) -> None:
        super().__init__(
            f"The hook {path} isn't executable, so it would be skipped.\n\n"
            f"Make it so and commit that: chmod +x {path} && git update-index --chmod=+x {path}"
        )


class HookFailedError(TaxiwayError):
    """A hook ended with an error."""

    code = "hook-failed"
    exit_status = 5

    def __init__(self, name: str, path: str, status: int, output: str = "") -> None:
        how = f"exit status {status}" if status >= 0 else f"signal {-status}"
        super().__init__(
            f"The hook {name} failed with {how}.\nIt is {path}.{_tail(output)}\n\n"
            "Correct the hook; a hook that may fail has to end with exit status 0 itself."
        )


class EnvironmentFileError(TaxiwayError):
    """A shell file with environment variables failed."""

    code = "environment-file-failed"
    exit_status = 5

    def __init__(self, path: str, status: int, output: str) -> None:
        super().__init__(
            f"Couldn't read the environment file {path}: bash ended with exit status {status}.{_tail(output)}\n\n"
            "It has to be a shell file of NAME=value lines."
        )


class CollectstaticError(TaxiwayError):
    """Django's collectstatic failed."""

    code = "collectstatic-failed"
    exit_status = 6

    def __init__(self, reason: str, output: str) -> None:
        super().__init__(
            f"Django's collectstatic failed with {reason}.{_tail(output)}\n\n"
            "Correct it, give the build the settings it needs in .taxiway/build-env, or go without collected\n"
            "static files: DISABLE_COLLECTSTATIC=1, or collectstatic = false in [tool.taxiway]."
        )


class BytecodeError(TaxiwayError):
    """Compiling to bytecode failed for another reason than a file's syntax."""

    code = "bytecode-failed"
    exit_status = 6

    def __init__(self, reason: str, output: str) -> None:
        super().__init__(
            f"Compiling the Python files to bytecode failed with {reason}.{_tail(output)}\n\n"
            "The build may have run out of memory or disk space; give it more and build again."
        )


class NoLaunchPlanError(TaxiwayError):
    """`start` without a build before it."""

    code = "no-launch-plan"
    exit_status = 7

    def __init__(self, path: str) -> None:
        super().__init__(
            f"There is no application here: couldn't find the launch plan {path}, which a build writes.\n\n"
            "Build first: s2i build SOURCE localhost/taxiway-builder IMAGE. In a Dockerfile: RUN /usr/libexec/s2i/assemble,\n"
            "or on the runtime image: COPY --from=build --chown=1001:0 /opt/app-root /opt/app-root"
        )


class BadLaunchPlanError(TaxiwayError):
    """A launch plan that this version can't read."""

    code = "bad-launch-plan"
    exit_status = 7

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"The launch plan {path} can't be used: {reason}.\n\n"
            "It was written by another version of taxiway, or damaged. Build the image again, with the builder\n"
            "and the runtime image of the same version."
        )


class ServerNotBuiltError(TaxiwayError):
    """The start asks for a server that isn't installed."""

    code = "server-not-built"
    exit_status = 7

    def __init__(self, server: str, origin: str, installed: Iterable[str]) -> None:
        super().__init__(
            f"The server {server} ({origin}) isn't installed in this image; it has {', '.join(installed) or 'none'}.\n\n"
            f"Remove it here, or set it when the image is built: the build installs the server."
        )


class UnknownProcessError(TaxiwayError):
    """The start asks for a process type that the application doesn't have."""

    code = "unknown-process"
    exit_status = 7

    def __init__(self, name: str, origin: str, known: Sequence[str]) -> None:
        super().__init__(
            f"There is no process type {name!r} ({origin}) in this image; it has {', '.join(known)}.\n\n"
            "Ask for one of these, for several with commas between them, or for all: TAXIWAY_PROCESS=web,worker\n"
            "Others are declared in a Procfile, or in [tool.taxiway.processes], before the image is built."
        )


class NotEnoughMemoryError(TaxiwayError):
    """The container's memory limit is too small for a single worker."""

    code = "not-enough-memory"
    exit_status = 7

    def __init__(self, limit_bytes: int, needed_bytes: int) -> None:
        limit_mib, needed_mib = limit_bytes >> 20, -(-needed_bytes >> 20)  # the latter rounded up
        super().__init__(
            f"The container's memory limit of {limit_mib} MiB is too small for this application: it needs {needed_mib} MiB.\n"
            "That is a server with one process, by what importing the application took at the build.\n\n"
            f"Raise the limit: podman run --memory={needed_mib}m; Kubernetes: resources.limits.memory: {needed_mib}Mi.\n"
            "To start nevertheless: WEB_CONCURRENCY=1."
        )


class CommandFailedError(TaxiwayError):
    """A program that has to succeed didn't."""

    code = "command-failed"
    exit_status = 8

    def __init__(self, command: str, reason: str, output: str = "") -> None:
        super().__init__(f"A command failed with {reason}: {command}{_tail(output)}")


class CannotExecError(TaxiwayError):
    """The server's program can't be started."""

    code = "cannot-start-server"
    exit_status = 7

    def __init__(self, command: str, reason: str) -> None:
        super().__init__(
            f"Couldn't start the server: {reason}.\nThe command was: {command}\n\n"
            "Is the server installed in this image? Build the image again with the taxiway builder image."
        )


class CannotListenError(TaxiwayError):
    """The port can't be used."""

    code = "cannot-listen"
    exit_status = 7

    def __init__(self, host: str, port: int, reason: str, lowest: int) -> None:
        advice = "Set PORT to a free one, or end the program that has it."
        if port < lowest:
            advice = (
                f"A user other than root may listen only on ports from {lowest} here (net.ipv4.ip_unprivileged_port_start).\n"
                f"Set PORT to 8080, and publish it as {port}: podman run --publish {port}:8080; in Kubernetes, a Service with\n"
                f"port: {port} and targetPort: 8080."
            )
        super().__init__(f"Couldn't listen on {host} port {port}: {reason}.\n\n{advice}")


class CannotWriteError(TaxiwayError):
    """There is no directory that the server's own files can go to."""

    code = "cannot-write"
    exit_status = 7

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"Couldn't use the directory {path} for the server's own files: {reason}.\n\n"
            "Give the container a writable /tmp (--tmpfs /tmp; Kubernetes: an emptyDir), or set TMPDIR to a writable directory."
        )


class MigrationsFailedError(TaxiwayError):
    """Django's migrations ended with an error."""

    code = "migrations-failed"
    exit_status = 7

    def __init__(self, how: str) -> None:
        super().__init__(
            f"Django's migrations failed with {how}; their own message stands above.\n\n"
            'Correct the cause and start again. To start without them: DISABLE_MIGRATE=1, or migrate = "manual" in\n'
            "[tool.taxiway]; then `taxiway migrate` runs them."
        )


class MigrationLockError(TaxiwayError):
    """Another container held the lock of the migrations for too long."""

    code = "migrations-locked"
    exit_status = 7

    def __init__(self, seconds: int) -> None:
        super().__init__(
            f"Another container was still migrating the database after {seconds} s.\n\n"
            "Start again when it is through. Where migrations take longer, raise migrate-timeout in [tool.taxiway]\n"
            '(TAXIWAY_MIGRATE_TIMEOUT), or run them in a Job: migrate = "manual", and there `taxiway migrate`.'
        )


class NoEngineError(TaxiwayError):
    """No container engine answers."""

    code = "no-engine"
    exit_status = 9

    def __init__(self, tried: Sequence[str]) -> None:
        super().__init__(
            f"Couldn't find a container engine that works. Tried:{_listing(tried)}\n\n"
            "Install Podman (Debian, Ubuntu: apt-get install podman; Fedora: dnf install podman), or start Docker's service.\n"
            "What is missing on this machine: taxiway doctor"
        )


class EngineFailedError(TaxiwayError):
    """The container engine couldn't build the image."""

    code = "image-build-failed"
    exit_status = 9

    def __init__(self, command: str, reason: str, output: str, advice: str = "", own: str = "") -> None:
        words = [
            f"The image wasn't built: {command} ended with {reason}.{_tail(output) if not own else ''}",
            *filter(None, [advice]),
            "An image of that name from an earlier build is unchanged.",
        ]
        super().__init__("\n\n".join([*words, *([f"The error in the build: {own}"] if own else [])]))


class NoBuilderImageError(TaxiwayError):
    """An image to build from isn't here."""

    code = "no-builder-image"
    exit_status = 9

    def __init__(self, name: str, engine: str) -> None:
        super().__init__(
            f"Couldn't find the image {name}, which the application is built from: {engine} has none of that name.\n\n"
            f"Build it in a checkout of taxiway: make images\nOr fetch it: {engine} pull {name}"
        )


class WrongPlatformError(TaxiwayError):
    """An image to build from is for another platform than the one asked for."""

    code = "wrong-platform"
    exit_status = 9

    def __init__(self, name: str, found: str, asked: str) -> None:
        super().__init__(
            f"The image {name} is for {found}, and --platform asks for {asked}.\n\n"
            "Name images of that platform: --builder-image, --runtime-image. They are built on a machine of it, by make images."
        )


class NoWheelhouseError(TaxiwayError):
    """A build without a network, of an application that has to download."""

    code = "no-wheelhouse"
    exit_status = 9

    def __init__(self, file: str) -> None:
        super().__init__(
            f"The build can't do without a network: {file} asks for packages, and the source has no wheelhouse.\n\n"
            "Fill one here, where there is a network: taxiway wheels"
        )


class NoRegistryError(TaxiwayError):
    """An image that is to be pushed has a name without a registry."""

    code = "no-registry"
    exit_status = 9

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The image can't be pushed: its name {name} says no registry.\n\n"
            "Give the whole name, such as registry.example.org/shop/web:1 or docker.io/USER/NAME."
        )


class PushFailedError(TaxiwayError):
    """The container engine couldn't push the image."""

    code = "push-failed"
    exit_status = 9

    def __init__(self, name: str, engine: str, reason: str, output: str) -> None:
        super().__init__(
            f"The image was built, but not pushed: {engine} push {name} ended with {reason}.{_tail(output)}\n\n"
            f"Log in: {engine} login {name.partition('/')[0]}\n"
            "A registry without TLS: --insecure-registry"
        )


class NoBuildKitError(TaxiwayError):
    """Docker without BuildKit can't mount secrets."""

    code = "no-buildkit"
    exit_status = 9

    def __init__(self, options: Sequence[str]) -> None:
        super().__init__(
            f"Docker can't give the build what {' and '.join(options)} name: its classic builder has no mounts.\n\n"
            "Install BuildKit (Debian: apt-get install docker-buildx), or use Podman: --engine podman"
        )


class NoSourceToImageError(TaxiwayError):
    """There is no s2i tool."""

    code = "no-source-to-image"
    exit_status = 9

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The s2i tool couldn't be used: {reason}.\n\n"
            "Get it: make s2i in a checkout of taxiway. Or build without --s2i: the result is the same."
        )


class AuditFailedError(TaxiwayError):
    """`taxiway audit` found something."""

    code = "audit-failed"
    exit_status = 1

    def __init__(self, count: int) -> None:
        super().__init__(
            f"The image breaks rules: {count} finding{'s' * (count != 1)}.\n\nEach stands above, with what to change."
        )


class ImagesDifferError(TaxiwayError):
    """`taxiway diff` found something."""

    code = "images-differ"
    exit_status = 1

    def __init__(self, count: int) -> None:
        super().__init__(f"The images differ in {count} places.\n\nThey stand above, each with its likely cause.")


class NoSuchImageError(TaxiwayError):
    """There is no image of that name."""

    code = "no-such-image"
    exit_status = 9

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"Couldn't find the image {name}: {reason}.\n\n"
            "Give the name of an image that Podman or Docker has here, the path of a saved one\n"
            "(podman save --output FILE NAME), the directory of an OCI layout, or - for stdin."
        )


class SeveralImagesError(TaxiwayError):
    """An archive or layout has several images."""

    code = "several-images"
    exit_status = 9

    def __init__(self, name: str, images: Sequence[str]) -> None:
        super().__init__(
            f"Couldn't tell which image of {name} is meant. Found:{_listing(_some(images)) or ' none'}\n\n"
            "Save one image alone: podman save --output FILE NAME. Of one for several machines: --architecture amd64"
        )


class BadImageError(TaxiwayError):
    """A saved image is damaged, has a form that isn't read, or isn't what its digest says."""

    code = "bad-image"
    exit_status = 9

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(
            f"Couldn't read the image, in {what}: {reason}.\n\n"
            "Save it again: podman save --output FILE NAME, or docker save --output FILE NAME."
        )


class ImageTooLargeError(TaxiwayError):
    """A saved image holds more than the auditor reads: it may be made to exhaust time or memory."""

    code = "image-too-large"
    exit_status = 9

    def __init__(self, what: str) -> None:
        super().__init__(
            f"The image holds more than is read from one that isn't trusted: {what}.\n\n"
            "If you know where it comes from: --trusted reads it without these limits."
        )


class NoZstdError(TaxiwayError):
    """A layer is compressed with zstd, which this Python can't read."""

    code = "no-zstd"
    exit_status = 9

    def __init__(self) -> None:
        super().__init__(
            "The image has a layer that is compressed with zstd; Python reads that from version 3.14 on.\n\n"
            "Install it for this one: pip install 'taxiway[zstd]'\n"
            "Or save the image without: podman save --format docker-archive --output FILE NAME"
        )


class LayersDifferError(TaxiwayError):
    """A build took away what an earlier layer of the image has."""

    code = "layers-differ"
    exit_status = 9

    def __init__(self, removed: Sequence[str]) -> None:
        super().__init__(
            f"The build removed what the layer of the dependencies has:{_listing(_some(removed))}\n\n"
            "Build without that layer: taxiway image --one-layer"
        )


class IncompleteExpressionError(TaxiwayError):
    """Server arguments with shell syntax that isn't supported."""

    code = "bad-server-args"
    exit_status = 2

    def __init__(self, text: str, origin: str, reason: str) -> None:
        super().__init__(
            f"Couldn't split the server arguments in {origin}: {reason}.\nFound: {text.strip()}\n\n"
            "Expected words as in a shell, with quotes closed; no command substitution."
        )
