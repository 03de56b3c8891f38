"""What device_info answers."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, Field

from sandbox.devices.simulated import PREFIX
from sandbox.simulator.gpus.architecture import Architecture
from sandbox.simulator.gpus.architectures import ARCHITECTURES
from sandbox.verdict import Provenance


class Hardware(BaseModel):
    """What a kernel can use of one GPU."""

    architecture: str = Field(description="What kernels are compiled for.")
    multiprocessors: int
    clock_mhz: int
    dram_gb_per_s: float = Field(description="Peak, 10^9 bytes a second.")
    fp32_gflops: float = Field(description="Peak without tensor cores, a fused multiply-add counted as two.")
    l2_bytes: int
    registers_per_sm: int = Field(description="32-bit registers.")
    threads_per_sm: int
    blocks_per_sm: int
    shared_bytes_per_sm: int
    shared_bytes_per_block: int = Field(description="At most; beyond 48 KiB it must be dynamic.")
    launch_us: float = Field(description="Least time of a launch: shorter kernels gain nothing.")


class DeviceInfo(BaseModel):
    """The device that kernels are judged on."""

    device: str
    simulated: bool
    latency_provenance: Provenance = Field(
        description="What latencies here are: measured on a GPU, or estimated by a cost model."
    )
    isolation: str = Field(description="What confines kernels while they run.")
    hardware: Hardware | None = Field(description="Not there where only the GPU itself knows.")
    other_devices: list[str] = Field(description="What `device` of the other tools may name beside it.")


def describe_device(device: str, isolation: str, devices: Sequence[str]) -> DeviceInfo:
    """Return what is known of a device without starting it.

    Args:
        device: Its name.
        isolation: What confines kernels there.
        devices: All that the server judges on.
    """
    simulated = device.startswith(PREFIX)
    architecture = ARCHITECTURES.get(device.removeprefix(PREFIX)) if simulated else None
    return DeviceInfo(
        device=device,
        simulated=simulated,
        latency_provenance=Provenance.ESTIMATED if simulated else Provenance.MEASURED,
        isolation=isolation,
        hardware=None if architecture is None else _hardware(architecture),
        other_devices=[name for name in devices if name != device],
    )


def _hardware(one: Architecture) -> Hardware:
    return Hardware(
        architecture=one.compute,
        multiprocessors=one.multiprocessors,
        clock_mhz=one.clock_mhz,
        dram_gb_per_s=one.dram_gbps,
        fp32_gflops=2e-3 * one.fp32_lanes * one.multiprocessors * one.clock_mhz,
        l2_bytes=one.l2_bytes,
        registers_per_sm=one.registers_per_sm,
        threads_per_sm=one.threads_per_sm,
        blocks_per_sm=one.blocks_per_sm,
        shared_bytes_per_sm=one.shared_per_sm,
        shared_bytes_per_block=one.shared_per_block,
        launch_us=one.launch_us,
    )
