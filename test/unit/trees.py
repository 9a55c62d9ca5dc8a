"""The type of the fixture that writes small source trees."""

from collections.abc import Callable, Mapping
from pathlib import Path

Tree = Callable[[Mapping[str, str]], Path]
