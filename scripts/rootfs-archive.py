#!/usr/bin/env python3
"""Makes an image of one layer from a root file system: a docker archive, which `podman load` and `docker load` take.

    rootfs-archive.py ROOTFS.tar IMAGE CREATED_S NAME=VALUE... >ARCHIVE.tar

`podman import` would give the image the time of day, so that nobody could make the same one again. NAME=VALUE are labels.
Format: Docker's image specification 1.2.
"""

import hashlib
import io
import json
import platform
import sys
import tarfile
import time
from pathlib import Path

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}  # as `uname` and Go call them


def main(rootfs: str, image: str, created_s: str, *labels: str) -> None:
    """Write the archive to stdout."""
    layer = Path(rootfs).read_bytes()
    digest = hashlib.sha256(layer).hexdigest()
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(created_s)))
    config = {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "created": created,
        "config": {"Env": [f"PATH={PATH}"], "Cmd": ["bash"], "Labels": dict(label.split("=", 1) for label in labels)},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        "history": [{"created": created, "created_by": "mmdebstrap"}],
    }
    config_bytes = json.dumps(config, sort_keys=True).encode()
    config_name = f"{hashlib.sha256(config_bytes).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [image], "Layers": [f"{digest}.tar"]}]
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as archive:
        for name, data in (
            (config_name, config_bytes),
            ("manifest.json", json.dumps(manifest).encode()),
            (f"{digest}.tar", layer),
        ):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


if __name__ == "__main__":
    main(*sys.argv[1:])
