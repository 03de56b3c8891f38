"""How much of the suite runs, by the environment; what each leaves out: docs/adr/0046."""

from __future__ import annotations

import os

EXHAUSTIVE = os.environ.get("WARPWRIGHT_EXHAUSTIVE") == "1"
"""Whether every case runs, also those that others cover."""

IDIOM_SEEDS = int(os.environ.get("WARPWRIGHT_IDIOM_SEEDS", "0"))
"""Seeds that every idiom and honest kernel is judged under; 0 for what its suite does by itself."""
