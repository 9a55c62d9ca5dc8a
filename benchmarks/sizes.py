"""How large the images are."""

import json

import measure
from harness import BUILDER, RUNTIME, podman

MB = 1000 * 1000  # as `podman images` counts


def size_mb(image: str) -> float:
    """Uncompressed size in MB."""
    found: list[dict[str, int]] = json.loads(podman("image", "inspect", image).text)
    return found[0]["Size"] / MB


def main() -> None:
    """Print the sizes."""
    with measure.sample_image("localhost/taxiway-bench/sample") as sample:
        rows = [
            ("runtime image", f"{size_mb(RUNTIME):.0f}", 115),
            ("builder image", f"{size_mb(BUILDER):.0f}", 330),
            ("Django sample on the runtime image", f"{size_mb(sample):.0f}", 160),
        ]
    measure.table("Size, uncompressed", ("image", "MB", "at most"), rows)
