"""The devices: the simulator and real GPUs, behind worker processes."""
