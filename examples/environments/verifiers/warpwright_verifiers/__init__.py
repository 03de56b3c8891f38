"""warpwright's tasks as an environment of verifiers."""

from warpwright_verifiers.taskset import KernelData, KernelTask, KernelTaskset, KernelTasksetConfig

__all__ = ["KernelData", "KernelTask", "KernelTaskset", "KernelTasksetConfig"]
