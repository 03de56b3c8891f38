"""`python -m warpwright`; run as a file, by its path, it is the same, whatever else is called warpwright."""

import sys
from pathlib import Path

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

    del sys.path[0]

from warpwright import main

main()
