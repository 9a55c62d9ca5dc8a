"""The environment of the installers, uv and pip."""

from collections.abc import Mapping
from pathlib import Path

from taxiway.dependencies import credentials
from taxiway.dependencies.credentials import NETRC, PIP, UV, Credentials

# pip's own variables, as uv calls them; s2i-python-container's users set the former.
_UV_NAMES = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_TRUSTED_HOST": "UV_INSECURE_HOST",
    "PIP_FIND_LINKS": "UV_FIND_LINKS",
    "PIP_NO_INDEX": "UV_NO_INDEX",
}


def environment(environ: Mapping[str, str], given: Credentials, private: str) -> dict[str, str]:
    """Return the environment for either installer: pip's variables under uv's names, credentials, certificates, no cache.

    Args:
        environ: The environment; its variables win over the credentials' files, as they do with pip and uv.
        given: The credentials of this build.
        private: A directory that is gone after the build.
    """
    env = {name: value for name, value in environ.items() if name != "VIRTUAL_ENV"}
    _add_credentials(env, given, private)
    for pip_name, uv_name in _UV_NAMES.items():
        # uv reads its own file; where that names no index, it gets pip's.
        from_pip = "" if given.uv else given.pip.get(pip_name, "")
        if value := (environ.get(pip_name, "") or from_pip).strip():
            env.setdefault(uv_name, listed(value) if uv_name == "UV_FIND_LINKS" else value)
    # uv brings its own list of authorities; a company's stands in the system's.
    env.setdefault("UV_SYSTEM_CERTS", "1")
    env.setdefault("UV_PYTHON_DOWNLOADS", "never")
    if not environ.get("UV_CACHE_DIR"):
        env["UV_NO_CACHE"] = "1"
    env.setdefault("UV_LINK_MODE", "copy" if environ.get("UV_CACHE_DIR") else "hardlink")
    env["UV_NO_PROGRESS"] = "1"
    return env | {"PIP_NO_CACHE_DIR": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_PROGRESS_BAR": "off", "PIP_NO_INPUT": "1"}


def _add_credentials(env: dict[str, str], given: Credentials, private: str) -> None:
    if NETRC in given.files:
        env["NETRC"] = str(given.files[NETRC])
    if PIP in given.files:
        env["PIP_CONFIG_FILE"] = str(given.files[PIP])
    if UV in given.files:
        env["UV_CONFIG_FILE"] = str(given.files[UV])
    if not given.pip:
        env.update((name, value) for name, value in given.uv.items() if not env.get(name))
    if text := credentials.bundle(given, env):
        path = Path(private, "ca.crt")
        path.write_text(text, encoding="utf-8")
        env |= dict.fromkeys(("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO"), str(path))


def listed(value: str) -> str:
    """Separate by commas, as uv wants places to be, what pip wants separated by blanks."""
    return ",".join(value.split())
