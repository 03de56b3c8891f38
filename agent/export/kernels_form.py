"""Form `hf-kernels`: the operator of PyTorch in the layout of Hugging Face's `kernels`."""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files

from agent.export.packages import KernelPackage
from agent.export.rendering import rendered
from agent.export.verification import plain

_VARIANT = "build/torch-cuda"
"""Any version of PyTorch and of Python, where PyTorch is for CUDA."""


def kernels_files(package: KernelPackage) -> dict[str, bytes]:
    """Return the files of a repository of the hub; versions of a kernel may live side by side in a process."""
    code = package.image_files()
    digest = hashlib.sha256(b"".join(code[name] for name in sorted(code))).hexdigest()[:12]
    space = f"_{package.space}_cuda_{digest}"
    launching = files("agent.export") / "templates" / "python" / "launching_ctypes.py.j2"
    made = {
        "README.md": rendered("python/kernels_readme.md.j2", package, plain=plain),
        f"{_VARIANT}/__init__.py": rendered("python/torch_op.py.j2", package, space=space),
        f"{_VARIANT}/plan.py": rendered("plan.py.j2", package),
        f"{_VARIANT}/launching.py": launching.read_bytes(),
        f"{_VARIANT}/metadata.json": _metadata(package, space),
    }
    return made | {f"{_VARIANT}/images/{name}": data for name, data in code.items()}


def _metadata(package: KernelPackage, space: str) -> bytes:
    told = {
        "id": space,
        "name": package.space.replace("_", "-"),
        "version": 1,
        "license": "other",  # the hub's word for what is said in a file; whose kernel it is, is not ours to say
        "python-depends": list[str](),
        "backend": {"type": "cuda"},
    }
    return (json.dumps(told, indent=2) + "\n").encode()
