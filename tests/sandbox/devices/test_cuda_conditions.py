from __future__ import annotations

import os
import subprocess
import sys

from sandbox.devices.cuda_conditions import Conditions, conditions, seen
from sandbox.nsight.gpu_facts import Gpu, Gpus

COOL = Gpu(
    {"index": "0", "clocks.sm": "1980", "clocks.mem": "3201", "temperature.gpu": "41", "power.draw": "95.10"}
)
HOT = Gpu(
    {"index": "1", "uuid": "GPU-1", "clocks.sm": "1200", "clocks_event_reasons.active": "0x0000000000000020"}
)


def both() -> Gpus:
    return Gpus((COOL, HOT))


async def test_clocks_heat_and_power_are_told_of_the_gpu_that_is_timed() -> None:
    said = await conditions(0, both, lambda _: ())
    assert said == Conditions("SM clock 1980 MHz, memory clock 3201 MHz, 41 C, 95.10 W")


async def test_a_gpu_that_is_held_back_says_by_what() -> None:
    said = await conditions(1, both, lambda _: ())
    assert said.concerns == ("clocks held back by temperature",)
    assert str(said) == "SM clock 1200 MHz, clocks held back by temperature"


async def test_what_is_not_known_is_said_to_be() -> None:
    def without() -> Gpus:
        return Gpus(problem="nvidia-smi is not installed")

    assert str(await conditions(0, without)) == "nvidia-smi is not installed"
    assert str(await conditions(2, both)) == "nvidia-smi knows no GPU 2"
    assert "says nothing" in str(await conditions(0, lambda: Gpus((Gpu({}),)), lambda _: ()))
    assert await seen(0, without) is None
    assert await seen(1, both) is HOT


async def test_a_process_of_somebody_else_on_the_gpu_is_a_concern_and_our_own_worker_is_none() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as worker:
        asked: list[str] = []

        def using(uuid: str) -> tuple[int, ...]:
            asked.append(uuid)
            return (os.getpid(), worker.pid, os.getppid(), 2**22 + 1)

        said = await conditions(1, both, using)
        worker.communicate(b"\n")
    assert asked == ["GPU-1"]
    assert said.concerns == (
        "clocks held back by temperature",
        f"shared with other processes ({os.getppid()})",
    )
