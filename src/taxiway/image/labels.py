"""Labels of an application's image: what it is, where it came from, and what taxiway audit holds it to.

Names: the OCI image specification's annotations, "Pre-Defined Annotation Keys"; OpenShift's image guidelines. Nothing of it
depends on when and where an image is built.
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from taxiway.layout import APP_ROOT, CREDENTIALS
from taxiway.sbom.provenance import Source

_S2I = "/tmp/.s2i/image_metadata.json"  # noqa: S108
IMMUTABLE, WRITABLE = "io.taxiway.immutable", "io.taxiway.writable"
_OCI = "org.opencontainers.image."


def labels(
    source: Path,
    came_from: Source,
    *,
    immutable: bool,
    writable: Sequence[str],
    on_builder: bool,
    base: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return an application's labels; what isn't known is empty, as it would else be what the image below says of itself.

    Args:
        source: The application's source.
        came_from: Where that came from.
        immutable: Whether its files are closed to group 0.
        writable: Directories that aren't, relative to the source.
        on_builder: Whether it is built on the builder image, which has the directory of credentials.
        base: Name and digest of the image that it is built on, as far as they are known.
    """
    project = _project(source)
    name = str(project.get("name") or came_from.url.rstrip("/").rpartition("/")[2].removesuffix(".git") or "application")
    version = str(project.get("version", ""))
    description = str(project.get("description") or f"{name}, a Python web application")
    places = [f"{APP_ROOT}/src/{directory}" for directory in writable] if immutable else [APP_ROOT]
    places += [CREDENTIALS] * on_builder
    found = {
        "title": name,
        "description": description,
        "version": version or came_from.commit[:12] or "0",
        "licenses": project["license"] if isinstance(project.get("license"), str) else "NOASSERTION",  # SPDX: nothing is said
        "source": came_from.url,
        "revision": came_from.commit,
        "vendor": "",
        **(base or {}),
    }
    return {
        **{f"{_OCI}{key}": value for key, value in found.items()},
        "name": name,
        "summary": description,
        "description": description,
        "version": found["version"],
        "io.k8s.display-name": name,
        "io.k8s.description": description,
        IMMUTABLE: "true" if immutable else "false",
        WRITABLE: " ".join(places),
    }


def write_for_s2i(found: Mapping[str, str]) -> None:
    """Leave labels where s2i looks for them when it commits the image (its `checkAndGetNewLabels`)."""
    path = Path(_S2I)
    path.parent.mkdir(mode=0o755, exist_ok=True)
    path.parent.chmod(0o755)
    rows = [
        {name: value} for name, value in sorted(found.items()) if not name.startswith("io.k8s.")
    ]  # s2i's own options say those
    path.write_text(json.dumps({"labels": rows}) + "\n", encoding="utf-8")
    path.chmod(0o644)


def _project(source: Path) -> dict[str, Any]:
    try:
        project = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8")).get("project", {})
        return project if isinstance(project, dict) else {}
    except (OSError, ValueError, AttributeError):
        return {}
