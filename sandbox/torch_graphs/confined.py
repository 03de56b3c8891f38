"""What PyTorch needs of a worker, and must be told of it before it is imported there."""

from __future__ import annotations

import os
import sys
import tempfile
from typing import cast

PACKAGES = (
    "numpy", "ml_dtypes", "torch", "torchgen", "functorch", "sympy", "mpmath", "networkx", "filelock", "fsspec",
    "jinja2", "markupsafe", "typing_extensions", "nvidia",
)  # fmt: skip
"""What PyTorch imports, and itself."""

_CLOSED = ("cuda", "opt_einsum", "triton")
"""What PyTorch does without; where workers share the host's files, these may be there, and closed."""

_FOLDER = "/tmp"


def prepare() -> None:
    """Say that there is a folder for temporary files, which nothing may write to, and no package of `_CLOSED`."""
    tempfile.tempdir = _FOLDER
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = _FOLDER  # is made where it is not there, which is not allowed
    cast("dict[str, object]", sys.modules).update(dict.fromkeys(_CLOSED))
