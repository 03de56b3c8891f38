"""`python -m agent.cli` is `warpwright`."""

from agent.cli import main

main()
