"""What a host of the bundle starts: the MCP server on standard input and output, with the person's settings."""

from __future__ import annotations

import os
import sys

from warpwright import main

# A field that was left empty reaches this process as an empty variable.
for name in ("WARPWRIGHT_MODEL", "OPENAI_BASE_URL", "WARPWRIGHT_API_KEY", "WARPWRIGHT_DEVICE"):
    if not os.environ.get(name):
        os.environ.pop(name, None)
sys.argv = ["warpwright", "serve", "--device", os.environ.get("WARPWRIGHT_DEVICE", "auto")]
main()
