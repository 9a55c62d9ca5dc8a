"""Building an environment: only where something changed, and so that a failure leaves the one that was there."""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from taxiway import __version__, console, launch_plan
from taxiway.assemble import build_in_place, resolve_settings
from taxiway.dependencies import state, target
from taxiway.detect import look
from taxiway.errors import CommandFailedError, TaxiwayError
from taxiway.layout import Layout
from taxiway.local import environments, interpreters, servers_here
from taxiway.local.environments import Environment
from taxiway.plan import decide
from taxiway.process import output

_PASSED_OVER = frozenset({"__pycache__", "node_modules", "venv", "env", "media", "staticfiles"})
_OWN = (".taxiway", ".warpdrive")
# Django's collectstatic takes what lies in `static` directories, or where STATICFILES_DIRS says: told by what browsers load.
_STATIC = frozenset(
    {".css", ".gif", ".html", ".ico", ".jpeg", ".jpg", ".js", ".map", ".mjs", ".png", ".svg", ".webp", ".woff", ".woff2"}
)
_KEPT = ("bin", "lib", "include", "share", "etc", "pyvenv.cfg", ".taxiway/dependencies.json", ".taxiway/python.json")


def build(environment: Environment, environ: Mapping[str, str], *, python: str | None = None, clean: bool = False) -> None:
    """Build an environment, which is made first where it isn't there.

    Args:
        environment: Which one.
        environ: The environment, as `environments.activated` returns it.
        python: The version or path of the Python that was asked for; None: as the project asks.
        clean: Start from scratch.

    Raises:
        TaxiwayError: A step failed; what an earlier build made is as it was.
    """
    environments.require_source(environment)
    layout = environment.layout
    environ = with_cache(environ)
    with _locked(layout), _kept(layout):
        _prepare(environment, environ, python, clean=clean)
        plan = build_in_place(layout, environ, servers_here.defaults(environ))
        launch_plan.write(plan, layout.launch_plan)
        _write_inputs(_inputs(environment, environ), layout)
    console.step(f"Built. It starts {plan.app} under {plan.server} {plan.servers.get(plan.server, '')}".rstrip())


def create(environment: Environment, environ: Mapping[str, str], python: str | None) -> None:
    """Make an environment, without building it.

    Raises:
        TaxiwayError: The directory can't be a project's, or there is no Python for it.
    """
    environments.require_source(environment)
    with _locked(environment.layout):
        _prepare(environment, environ, python, clean=False)


def reasons(environment: Environment, environ: Mapping[str, str]) -> list[str]:
    """Say why an environment has to be built, in words; empty: it is as the source wants it. Nothing is imported for that."""
    layout = environment.layout
    if not environment.exists:
        return ["there is no environment yet"]
    try:
        before: dict[str, str] = json.loads(Path(layout.state, "inputs.json").read_text(encoding="utf-8"))
        launch_plan.read(layout.launch_plan)
    except (OSError, ValueError, TaxiwayError):
        return ["it wasn't built yet"]
    if not Path(layout.python).exists():
        return ["its Python isn't there any more"]
    found = _inputs(environment, environ)
    if before.get("dependencies") != found["dependencies"]:
        changes = state.compare(state.read(layout), _wanted(environment, environ))
        found["dependencies"] = before.get("dependencies", "")
        return [*([str(changes)] if changes.reasons else ["the dependencies changed"]), *_differences(before, found)]
    return _differences(before, found)


def _differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    return [f"{words} changed" for words, value in now.items() if before.get(words) != value]


def with_cache(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with uv's own cache, which an image has none of."""
    home = environ.get("HOME") or os.path.expanduser("~")
    cache = environ.get("UV_CACHE_DIR") or os.path.join(environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache"), "uv")
    return {**environ, "UV_CACHE_DIR": cache}


def _prepare(environment: Environment, environ: Mapping[str, str], python: str | None, *, clean: bool) -> None:
    """Make the environment where it isn't there, or has another Python than is wanted."""
    layout = environment.layout
    wish = interpreters.wanted(environment.source, python)
    has = Path(layout.python).exists() and Path(layout.app_root, "pyvenv.cfg").exists()
    version = state.interpreter(layout) if has else ""
    another = has and not (
        wish.fits(version) if not wish.path else os.path.realpath(layout.python) == os.path.realpath(wish.path)
    )
    if not has or another or clean:
        chosen = interpreters.find(wish, environ)
        why = "--clean" if clean else f"its Python is {version}" if another else "a new environment"
        asked = f", as {wish.origin} asks for" if wish.origin != interpreters.OWN else ""
        console.step(f"Making the environment {environment.name}: Python {chosen.version}{asked} ({why})")
        _clear(layout)
        argv = [chosen.path, "-m", "venv", "--without-pip", "--symlinks", layout.app_root]
        result = output(argv, env=environ, cwd="/")
        if result.status:
            raise CommandFailedError(console.join(argv), result.reason, result.output)
        version = chosen.version
    Path(layout.state, "source").write_text(f"{environment.source}\n", encoding="utf-8")
    target.use(layout.python, version, Path(layout.state, "python.json"), environ)


def _clear(layout: Layout) -> None:
    for name in _KEPT:
        _remove(Path(layout.app_root, name))
    shutil.rmtree(layout.bytecode, ignore_errors=True)
    shutil.rmtree(layout.static_root, ignore_errors=True)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(layout: Layout) -> Iterator[None]:
    """One build of an environment at a time."""
    Path(layout.state).mkdir(parents=True, exist_ok=True)
    with Path(layout.state, "lock").open("w", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            console.step("Waiting for another build of this environment")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _kept(layout: Layout) -> Iterator[None]:
    """Put back what was there, if a build fails, or was killed before this one.

    The copy consists of links to the same files: installers replace files, and don't write into them.
    """
    copy, begun = Path(layout.state, "before"), Path(layout.state, "before.new")
    if copy.exists():
        _put_back(copy, layout)
    shutil.rmtree(begun, ignore_errors=True)
    for name in _KEPT:
        path = Path(layout.app_root, name)
        (begun / name).parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir() and not path.is_symlink():
            shutil.copytree(path, begun / name, symlinks=True, copy_function=_link)
        elif path.exists():
            shutil.copy2(path, begun / name, follow_symlinks=False)
    begun.rename(copy)
    try:
        yield
    except BaseException:
        _put_back(copy, layout)
        if Path(layout.launch_plan).exists():
            console.step("The environment is as it was before this build")
        raise
    shutil.rmtree(copy)


def _link(source: str, target_path: str) -> str:
    os.link(source, target_path, follow_symlinks=False)
    return target_path


def _put_back(copy: Path, layout: Layout) -> None:
    for name in _KEPT:
        _remove(Path(layout.app_root, name))
        if (copy / name).exists() or (copy / name).is_symlink():
            (copy / name).rename(Path(layout.app_root, name))
    shutil.rmtree(layout.bytecode, ignore_errors=True)
    shutil.rmtree(copy)


def _wanted(environment: Environment, environ: Mapping[str, str]) -> state.State:
    settings = resolve_settings(environ, environment.source, warn=lambda _: None)
    return state.describe(look(environment.source, settings).requirements, environment.layout)


def _inputs(environment: Environment, environ: Mapping[str, str]) -> dict[str, str]:
    """Return what decides a build, each by the words in which its change is told: a hash."""
    layout, source = environment.layout, environment.source
    target.use(layout.python, state.interpreter(layout), Path(layout.state, "python.json"), environ)
    settings = resolve_settings(environ, source, warn=lambda _: None)
    facts = look(source, settings)
    plan = decide(facts, settings, servers_here.defaults(environ))
    wish = interpreters.wanted(source, None)
    files: dict[str, list[str]] = {"static files and templates": [], "Django's settings": [], "hooks and environment files": []}
    for path, status in _files(source):
        relative = str(path.relative_to(source))
        stamp = f"{relative} {status.st_size} {status.st_mtime_ns}"
        if relative.startswith(_OWN):
            files["hooks and environment files"].append(stamp)
        elif path.suffix in _STATIC:
            files["static files and templates"].append(stamp)
        elif plan.django_settings and path.suffix == ".py" and "settings" in relative:
            files["Django's settings"].append(stamp)
    return {
        "dependencies": _digest(str(state.describe(facts.requirements, layout))),
        "what is started": _digest(json.dumps(plan.as_data(), sort_keys=True)),
        "the Python that is asked for": _digest(str(wish.specifier)),
        "taxiway": __version__,
        **{words: _digest(*stamps) for words, stamps in files.items()},
    }


def _files(source: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for directory, names, files in os.walk(source):
        names[:] = sorted(
            name
            for name in names
            if name not in _PASSED_OVER and (not name.startswith(".") or (name in _OWN and directory == str(source)))
        )
        for name in sorted(files):
            with contextlib.suppress(OSError):  # gone meanwhile
                yield Path(directory, name), Path(directory, name).stat()


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode(errors="surrogateescape")).hexdigest()


def _write_inputs(inputs: Mapping[str, str], layout: Layout) -> None:
    Path(layout.state, "inputs.json").write_text(json.dumps(inputs, indent=2) + "\n", encoding="utf-8")
