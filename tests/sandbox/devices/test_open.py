from __future__ import annotations

import pytest

from sandbox.devices.open import device_name, open_device
from sandbox.errors import UsageError
from sandbox.isolation.process import ProcessIsolation


async def test_a_simulated_gpu_is_opened_by_its_name() -> None:
    device = open_device("sim:h200", ProcessIsolation())
    assert (device.name, device.architecture) == ("sim:h200", "sm_90")
    await device.aclose()
    await device.aclose()


@pytest.mark.parametrize("name", ["h200", "sim:", "sim:nothing", "sim:H200", "", "cuda:x", "sim:h200 "])
def test_an_unknown_device_is_a_usage_error_that_lists_the_known(name: str) -> None:
    with pytest.raises(UsageError, match="auto, sim:h200"):
        device_name(name)
