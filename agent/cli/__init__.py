"""The command line. Everything heavy is imported by the command that needs it, so that help is quick."""

from __future__ import annotations


def main() -> None:
    """Run the `warpwright` command and exit with its status."""
    from agent.cli.app import app

    app()
