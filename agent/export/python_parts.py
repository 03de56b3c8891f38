"""What every form in Python is built on: the launch plan, the code, and a launcher over cuda.core."""

from __future__ import annotations

from importlib.resources import files

from agent.export.packages import KernelPackage
from agent.export.rendering import rendered


def python_files(package: KernelPackage, *, launching: bool) -> dict[str, bytes]:
    """Return the plan and the code in the package's folder; with `launching` the launcher over cuda.core too."""
    made = {f"{package.space}/plan.py": rendered("plan.py.j2", package)}
    if launching:
        source = files("agent.export") / "templates" / "python" / "launching.py.j2"
        made[f"{package.space}/launching.py"] = source.read_bytes()
    return made | {f"{package.space}/images/{name}": data for name, data in package.image_files().items()}
