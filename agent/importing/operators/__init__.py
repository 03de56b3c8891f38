"""What writes each ATen operator in NumPy, a module for each family; importing them fills the table."""

from agent.importing.operators import (
    activations,
    arithmetic,
    attention,
    gathers,
    layout,
    losses,
    making,
    norms,
    products,
    recurrent,
    reductions,
    windows,
)

__all__ = [
    "activations",
    "arithmetic",
    "attention",
    "gathers",
    "layout",
    "losses",
    "making",
    "norms",
    "products",
    "recurrent",
    "reductions",
    "windows",
]
