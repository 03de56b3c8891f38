from __future__ import annotations

import sys
from pathlib import Path

# The stand-ins next to this file are imported by tests here.
sys.path.insert(0, str(Path(__file__).parent))
