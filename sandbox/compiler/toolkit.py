"""Where the compiler's library and CUDA's headers lie: in the wheels that `pip install warpwright` brings."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sandbox.errors import MissingDependencyError

_LIBRARY = "libnvrtc.so.13"
_CCCL = "cub/block/block_reduce.cuh"
_HEADER_SIGNS = ("cuda_fp16.h", "cooperative_groups.h", "crt/mma.h", _CCCL, "nv/target")
_INSTALL = "pip install " + " ".join(
    f'"nvidia-cuda-{name}>=13.0,<13.1"' for name in ("nvrtc", "runtime", "cccl", "crt")
)


@dataclass(frozen=True)
class Toolkit:
    """Host paths of the compiler's folder and of the include folders, and what identifies the compiler.

    Attributes:
        library: The folder with NVRTC and its built-ins.
        include: Folders with CUDA's and CCCL's headers, in the order of search.
        version: Version of NVRTC and of the header packages, as in `nvrtc 13.0.88`.
    """

    library: Path
    include: tuple[Path, ...]
    version: str


@cache
def find_toolkit() -> Toolkit:
    """Find NVRTC and the headers.

    Raises:
        MissingDependencyError: One of them is not installed; the text says what to install.
    """
    roots = [folder for root in _roots() for folder in sorted(root.iterdir()) if folder.is_dir()]
    libraries = [folder / "lib" for folder in roots if (folder / "lib" / _LIBRARY).exists()]
    if not libraries:
        raise MissingDependencyError(f"the CUDA compiler NVRTC 13 is not installed: {_INSTALL}")
    nested = [place for folder in roots for place in (folder / "include", folder / "include/cccl")]
    include = tuple(place for place in nested if any((place / sign).exists() for sign in _HEADER_SIGNS))
    for sign in ("cuda_fp16.h", _CCCL):
        if not any((place / sign).exists() for place in include):
            raise MissingDependencyError(f"CUDA's header {sign} is not installed: {_INSTALL}")
    return Toolkit(libraries[0], include, _version(libraries[0]))


def _roots() -> list[Path]:
    spec = importlib.util.find_spec("nvidia")
    if spec is None or spec.submodule_search_locations is None:
        return []
    return [Path(place) for place in spec.submodule_search_locations if Path(place).is_dir()]


def _version(library: Path) -> str:
    known: list[str] = []
    for name in ("cuda-nvrtc", "cuda-runtime", "cuda-cccl", "cuda-crt", "curand"):
        try:
            known.append(f"{name.removeprefix('cuda-')} {importlib.metadata.version(f'nvidia-{name}')}")
        except importlib.metadata.PackageNotFoundError:
            continue
    # Not from a wheel: the file's size tells builds apart well enough.
    return ", ".join(known) or f"nvrtc of {(library / _LIBRARY).stat().st_size} bytes"
