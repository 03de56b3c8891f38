"""The one-line warning where untrusted code is confined less than it could be."""

from __future__ import annotations

import typer


def warn_of_weak_isolation() -> None:
    """Say on standard error what the isolation in use does not stop, where that is something."""
    from sandbox.isolation.choose import choose_isolation

    if (warning := choose_isolation().warning) is not None:
        typer.echo(f"warpwright: {warning}", err=True)
