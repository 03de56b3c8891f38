"""What the program is called, and which version of it this is."""

from __future__ import annotations

import sys
from importlib.metadata import version


def print_version() -> None:
    """Print the program's name and version."""
    sys.stdout.write(f"warpwright {version('warpwright')}\n")
