"""What writes each ATen operator in NumPy, a module for each family."""

from agent.importing.operators import (  # noqa: F401  importing them fills the table
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
