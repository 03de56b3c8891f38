"""The simulator's entry points: `run` a plan for its results, or `profile` one for its costs."""

from sandbox.simulator.profiling import profile as profile
from sandbox.simulator.running import run as run
