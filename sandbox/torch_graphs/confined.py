"""What PyTorch must be told of a worker before it is imported there."""

from __future__ import annotations

import os
import sys
import tempfile
from typing import cast

_FOLDER = "/tmp"


def prepare() -> None:
    """Say that there is a folder for temporary files, which nothing may write to, and no package `cuda`."""
    tempfile.tempdir = _FOLDER
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = _FOLDER  # is made where it is not there, which is not allowed
    cast("dict[str, object]", sys.modules)["cuda"] = None  # its files may be there, and closed
