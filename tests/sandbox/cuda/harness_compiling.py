"""The harness's own kernels, and their PTX without what depends on lines."""

from __future__ import annotations

import re
from pathlib import Path

import sandbox.cuda

HARNESS = Path(next(iter(sandbox.cuda.__path__)))
KERNELS = ("ww_fill", "ww_digest", "ww_read", "ww_shared", "ww_spin", "ww_clock", "ww_nothing")


def without_lines(ptx: str) -> str:
    """PTX without comments and debug directives."""
    ptx = re.sub(r"^\s*\.section.*?^\s*}\s*$", "", ptx, flags=re.M | re.S)
    kept = (re.sub(r"//.*", "", line).rstrip() for line in ptx.splitlines())
    return "\n".join(line for line in kept if line and not re.match(r"\s*\.(loc|file)\b", line)) + "\n"
