"""Saved images for tests, made in memory: layers from rows, archives and layouts from layers."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from taxiway.audit.image import Image, scan
from taxiway.audit.reader import open_image
from taxiway.audit.rules.rule import Finding, Rule, check, probes_of

Row = tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]
Layer = Sequence[Row]


def file(path: str, content: bytes | str = b"", **fields: Any) -> Row:
    """Make a row of a layer: a file of root's with mode 0644; `fields` are those of `tarfile.TarInfo`."""
    data = content.encode() if isinstance(content, str) else content
    info = _info(path, {"mode": 0o644} | fields)
    info.size = len(data)
    return info, data


def directory(path: str, **fields: Any) -> Row:
    """Make a row of a layer: a directory with mode 0755."""
    return _info(path, {"mode": 0o755, "type": tarfile.DIRTYPE} | fields)


def link(path: str, target: str, **fields: Any) -> Row:
    """Make a row of a layer: a symbolic link."""
    return _info(path, {"mode": 0o777, "type": tarfile.SYMTYPE, "linkname": target} | fields)


def hard_link(path: str, target: str, **fields: Any) -> Row:
    """Make a row of a layer: a hard link."""
    return _info(path, {"type": tarfile.LNKTYPE, "linkname": target} | fields)


def _info(path: str, fields: Mapping[str, Any]) -> tarfile.TarInfo:
    info = tarfile.TarInfo(path)
    for name, value in fields.items():
        setattr(info, name, value)
    return info


def layer_tar(rows: Layer) -> bytes:
    """Write a layer."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for row in rows:
            info, data = row if isinstance(row, tuple) else (row, b"")
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def tar(files: Mapping[str, bytes]) -> bytes:
    """Write an archive of files."""
    return layer_tar([file(name, data) for name, data in files.items()])


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def config_json(layers: Sequence[bytes], config: Mapping[str, Any] | None = None, history: Sequence[Any] = ()) -> bytes:
    """Write the configuration of an image with these layers."""
    return json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"User": "1001"} | dict(config or {}),
            "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in layers]},
            "history": list(history) or [{"created_by": f"RUN step {number}"} for number in range(1, len(layers) + 1)],
        }
    ).encode()


def docker_files(layers: Sequence[bytes], **options: Any) -> dict[str, bytes]:
    """Return the files of a docker archive, as Podman writes it."""
    config = config_json(layers, **options)
    names = [f"{digest(layer).partition(':')[2]}.tar" for layer in layers]
    config_name = f"{digest(config).partition(':')[2]}.json"
    manifest = [{"Config": config_name, "RepoTags": ["localhost/shop:1"], "Layers": names}]
    return dict(zip(names, layers, strict=True)) | {config_name: config, "manifest.json": json.dumps(manifest).encode()}


def oci_files(
    layers: Sequence[bytes], pack: Callable[[bytes], bytes] = lambda data: gzip.compress(data, mtime=0), **options: Any
) -> dict[str, bytes]:
    """Return the files of an OCI layout."""
    config = config_json(layers, **options)
    packed = list(map(pack, layers))
    manifest = {
        "schemaVersion": 2,
        "config": _descriptor("config.v1+json", config),
        "layers": [_descriptor("layer.v1.tar+gzip", layer) for layer in packed],
    }
    blobs = [config, *packed, json.dumps(manifest).encode()]
    named = {"annotations": {"org.opencontainers.image.ref.name": "latest"}}
    index = {"schemaVersion": 2, "manifests": [_descriptor("manifest.v1+json", blobs[-1]) | named]}
    return {f"blobs/{digest(blob).replace(':', '/')}": blob for blob in blobs} | {
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        "index.json": json.dumps(index).encode(),
    }


def _descriptor(kind: str, blob: bytes) -> dict[str, Any]:
    return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": digest(blob), "size": len(blob)}


def write_layout(path: Path, files: Mapping[str, bytes]) -> None:
    """Write an OCI layout as a directory."""
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)


def read(archive: bytes, rules: Sequence[Rule] = (), **options: Any) -> Image:
    """Read an archive as `taxiway audit -` does."""
    with open_image("-", stdin=io.BytesIO(archive), **options) as source:
        return scan(source, probes_of(rules), options.get("limits"))


def findings(rules: Sequence[Rule], *layers: Layer, config: Mapping[str, Any] | None = None) -> list[Finding]:
    """Hold an image of these layers against rules."""
    archive = tar(docker_files([layer_tar(rows) for rows in layers], config=config))
    return check(read(archive, rules), rules)
