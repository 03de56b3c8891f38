"""The table of metrics: name, unit, how it is counted, and the count itself."""

from __future__ import annotations

from sandbox.simulator.execution_rows import EXECUTION_ROWS, LAUNCH_ROWS
from sandbox.simulator.memory_rows import ATOMIC_ROWS, COPY_ROWS, GLOBAL_ROWS, LOCAL_ROWS, SHARED_ROWS
from sandbox.simulator.metric_row import Row
from sandbox.simulator.model_rows import MODEL_ROWS
from sandbox.simulator.tensor_rows import TENSOR_ROWS

GROUPS: dict[str, tuple[Row, ...]] = {
    "Time, DRAM, L2 and L1": MODEL_ROWS,
    "Global memory": GLOBAL_ROWS,
    "Shared memory": SHARED_ROWS,
    "Global atomics": ATOMIC_ROWS,
    "Launch and occupancy": LAUNCH_ROWS,
    "Instructions, lanes and branches": EXECUTION_ROWS,
    "Tensor cores": TENSOR_ROWS,
    "Local memory": LOCAL_ROWS,
    "Asynchronous copies": COPY_ROWS,
}
"""Every metric by what it is about, what explains most first."""

ROWS: tuple[Row, ...] = tuple(row for rows in GROUPS.values() for row in rows)
"""Every metric, in the order in which they are shown."""
