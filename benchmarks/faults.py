"""How many of the faults of test/bad-image each tool finds."""

import bad_image
import measure
from harness import podman

IMAGE = "localhost/taxiway-bench/bad:1"


def main() -> None:
    """Print the counts; both tools get what they read, the image or its Dockerfile."""
    planted = bad_image.planted(bad_image.DOCKERFILE.read_text())
    try:
        bad_image.build(IMAGE)
        missed = bad_image.missed_by_audit(bad_image.found_by_audit(IMAGE))
    finally:
        podman("rmi", "--force", IMAGE, check=False)
    rows = [
        ("taxiway audit, of the image", f"{len(planted) - len(missed)} of {len(planted)}", "all"),
        ("hadolint, of the Dockerfile", f"{len(bad_image.found_by_hadolint())} of {len(planted)}", ""),
    ]
    measure.table("Planted faults that are found", ("tool", "found", "expected"), rows)
