"""How many problems in KernelBench's format become tasks whose baseline passes."""
