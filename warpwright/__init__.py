"""Judge CUDA kernels, profile them, and search for faster ones, from Python.

    import warpwright

    verdict = warpwright.check("softmax.cu", "softmax")
    if verdict.passed:
        print(verdict.latency_us, verdict.provenance)

Five names are public: `check`, `profile`, `optimize`, `Task` and `Verdict`. The three functions block; each has a
twin to be awaited: `await warpwright.check.aio(...)`. Everything else that lies beside this package belongs to the
command and to the server, and may change. Importing this costs nothing: what a call needs is imported when it is
made.
"""

from __future__ import annotations

from warpwright._calls import check, optimize, profile
from warpwright._entry import main as main  # the command's entry point, `warpwright:main`
from warpwright._task import Task
from warpwright._verdict import Verdict

__all__ = ["Task", "Verdict", "check", "optimize", "profile"]

__version__ = "0.1.0"
