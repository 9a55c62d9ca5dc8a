"""The JSON documents of an image: index, manifest, configuration. Untrusted, so every value's type is looked at."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from taxiway.audit.limits import DOCUMENT_BYTES
from taxiway.errors import BadImageError

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")


@dataclass(frozen=True, kw_only=True)
class Step:
    """A line of the image's history."""

    created_by: str
    empty: bool
    """Whether it made no layer."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """What an image says about itself: the part of the OCI image configuration that is looked at."""

    user: str
    environment: tuple[tuple[str, str], ...]
    """In their order; a name may be there twice."""
    labels: Mapping[str, str]
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    working_directory: str
    ports: tuple[str, ...]
    """Such as "8080/tcp"."""
    volumes: tuple[str, ...]
    stop_signal: str
    healthcheck: tuple[str, ...]
    architecture: str
    history: tuple[Step, ...]
    diff_ids: tuple[str, ...]
    """Digests of the unpacked layers."""

    @property
    def is_builder(self) -> bool:
        """Whether it is an S2I builder image: it runs its usage, and is there to compile."""
        return bool(self.command) and self.command[-1].endswith("/usage")

    @property
    def variables(self) -> dict[str, str]:
        """The environment as a process gets it."""
        return dict(self.environment)


def parse(data: bytes, what: str) -> Any:
    """Read a document.

    Raises:
        BadImageError: It isn't JSON, or has a key twice, of which two readers may take different ones.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"the key {twice!r} is there twice")
        return found

    if len(data) > DOCUMENT_BYTES:
        raise BadImageError(what, f"it has {len(data)} bytes, expected {DOCUMENT_BYTES} at most")
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise BadImageError(what, f"it isn't the JSON that is expected: {str(error)[:200]}") from error


class Reader:
    """Takes values out of a document, each of the type that is expected."""

    def __init__(self, value: Any, what: str) -> None:
        if not isinstance(value, dict):
            raise BadImageError(what, "expected a JSON object")
        self._value = value
        self._what = what

    def _get(self, key: str, kind: type, otherwise: Any) -> Any:
        value = self._value.get(key)
        if value is None:
            return otherwise
        if not isinstance(value, kind):
            raise BadImageError(self._what, f"{key!r} has another type than is expected")
        return value

    def text(self, key: str) -> str:
        """Return a string, "" if there is none."""
        value: str = self._get(key, str, "")
        return value

    def flag(self, key: str) -> bool:
        """Return a truth value, False if there is none."""
        value: bool = self._get(key, bool, False)  # noqa: FBT003
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of strings."""
        values = self._get(key, list, [])
        if not all(isinstance(value, str) for value in values):
            raise BadImageError(self._what, f"{key!r} has another type than is expected")
        return tuple(values)

    def readers(self, key: str) -> list["Reader"]:
        """Return a list of objects."""
        return [Reader(value, self._what) for value in self._get(key, list, [])]

    def reader(self, key: str) -> "Reader":
        """Return an object, an empty one if there is none."""
        return Reader(self._get(key, dict, {}), self._what)

    def names(self, key: str) -> tuple[str, ...]:
        """Return the keys of an object."""
        return tuple(self._get(key, dict, {}))

    def strings(self, key: str) -> dict[str, str]:
        """Return an object of strings."""
        values: dict[str, Any] = self._get(key, dict, {})
        if not all(isinstance(value, str) for value in values.values()):
            raise BadImageError(self._what, f"{key!r} has another type than is expected")
        return values

    def digest(self, key: str = "digest") -> str:
        """Return a digest."""
        return checked_digest(self.text(key), self._what)


def checked_digest(digest: str, what: str) -> str:
    """Return a digest of a known form: it becomes a path.

    Raises:
        BadImageError: It has another.
    """
    if not _DIGEST.fullmatch(digest):
        raise BadImageError(what, f"{digest[:100]!r} is no digest of the form sha256:... or sha512:...")
    return digest


def read_config(document: Any, what: str) -> Config:
    """Take the parts of an image configuration that are looked at.

    Raises:
        BadImageError: It is none.
    """
    top = Reader(document, what)
    config = top.reader("config")
    rootfs = top.reader("rootfs")
    if rootfs.text("type") != "layers":
        raise BadImageError(what, "it has no list of layers; expected the configuration of a container image")
    return Config(
        user=config.text("User"),
        environment=tuple((name, value) for name, _, value in (row.partition("=") for row in config.texts("Env"))),
        labels=config.strings("Labels"),
        entrypoint=config.texts("Entrypoint"),
        command=config.texts("Cmd"),
        working_directory=config.text("WorkingDir"),
        ports=config.names("ExposedPorts"),
        volumes=config.names("Volumes"),
        stop_signal=config.text("StopSignal"),
        healthcheck=config.reader("Healthcheck").texts("Test"),
        architecture=top.text("architecture"),
        history=tuple(Step(created_by=row.text("created_by"), empty=row.flag("empty_layer")) for row in top.readers("history")),
        diff_ids=tuple(checked_digest(digest, what) for digest in rootfs.texts("diff_ids")),
    )
