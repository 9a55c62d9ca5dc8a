"""Run the benchmarks: `make bench`, or `python benchmarks NAME...` for some of them. Prints Markdown tables.

Ratios count, not seconds: machines differ and are noisy. What is compared is run alternately, in one run.
"""

import importlib
import sys
from pathlib import Path

NAMES = (
    "sizes",
    "audit",
    "faults",
    "starts",
    "servers",
    "proxy",
    "rebuilds",
    "image_rebuilds",
    "installs",
    "materials",
    "warpdrive",
    "digests",
)

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "test" / "image"))  # containers as the image tests have them
    for name in sys.argv[1:] or NAMES:
        importlib.import_module(name).main()
