"""The worker's program. Run by path with one argument, the JSON that `sandbox.isolation.base` writes."""

from __future__ import annotations

import gc
import json
import os
import sys


def main() -> None:
    """Read the settings, make our packages importable, and serve until the parent closes the connection."""
    gc.disable()  # what is imported stays; `serve` enables it
    settings = json.loads(sys.argv[1])
    sys.path.extend(settings["paths"])
    from sandbox.worker.loop import Settings, serve  # importable only once the path is set

    del settings["paths"]
    serve(Settings(**settings))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # nothing is left to be tidied, and to free gigabytes object by object takes long


if __name__ == "__main__":
    main()
