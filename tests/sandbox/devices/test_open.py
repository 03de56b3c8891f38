from __future__ import annotations

import pytest

from sandbox.devices.open import device_name, open_device
from sandbox.errors import MissingDependencyError, UsageError
from sandbox.isolation.process import ProcessIsolation


async def test_auto_is_the_simulated_h200() -> None:
    device = open_device("auto", ProcessIsolation())
    assert (device.name, device.architecture) == ("sim:h200", "sm_90")
    await device.aclose()
    await device.aclose()


@pytest.mark.parametrize("name", ["h200", "sim:", "sim:nothing", "sim:H200", "", "cuda:x", "sim:h200 "])
def test_an_unknown_device_is_a_usage_error_that_lists_the_known(name: str) -> None:
    with pytest.raises(UsageError, match="auto, sim:h200"):
        device_name(name)


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "cuda:13"])
def test_a_real_gpu_is_missing_and_the_text_says_what_to_use(name: str) -> None:
    with pytest.raises(MissingDependencyError, match=r"later version.*sim:h200"):
        device_name(name)
