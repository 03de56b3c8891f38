from __future__ import annotations

from sandbox.devices.cuda_conditions import conditions
from sandbox.nsight.gpu_facts import Gpu, Gpus

COOL = Gpu(
    {"index": "0", "clocks.sm": "1980", "clocks.mem": "3201", "temperature.gpu": "41", "power.draw": "95.10"}
)
HOT = Gpu({"index": "1", "clocks.sm": "1200", "clocks_event_reasons.active": "0x0000000000000020"})


async def test_clocks_heat_and_power_are_told_of_the_gpu_that_is_timed() -> None:
    said = await conditions(0, lambda: Gpus((COOL, HOT)))
    assert said == "SM clock 1980 MHz, memory clock 3201 MHz, 41 C, 95.10 W"


async def test_a_gpu_that_is_held_back_says_by_what() -> None:
    assert (
        await conditions(1, lambda: Gpus((COOL, HOT))) == "SM clock 1200 MHz, clocks held back by temperature"
    )


async def test_what_is_not_known_is_said_to_be() -> None:
    assert (
        await conditions(0, lambda: Gpus(problem="nvidia-smi is not installed"))
        == "nvidia-smi is not installed"
    )
    assert await conditions(2, lambda: Gpus((COOL, HOT))) == "nvidia-smi knows no GPU 2"
    assert "says nothing" in await conditions(0, lambda: Gpus((Gpu({}),)))
