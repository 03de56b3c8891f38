"""The real PyCUDA and our own calls of the driver, in a process that is not confined, before a driver's library."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.devices.cuda_present import PresentGpu, find_gpu
from sandbox.errors import MissingDependencyError
from sandbox.isolation import gpu
from sandbox.nsight.job import PlanRunner, prepared
from tests.sandbox.cuda.fake_driver.build import BUS_ID, NAME
from tests.sandbox.cuda.standing_in import GPU, INPUTS, NODES, SIZE, built, plan, program, python

OPENED = """
import numpy as np
from sandbox.cuda.driver import DriverError, LaunchSettings
from sandbox.cuda.harness import Harness
from sandbox.cuda.noise import digest_words, noise_words
from sandbox.cuda.pycuda_driver import open_driver

def code_of(call, *arguments):
    try:
        call(*arguments)
    except DriverError as error:
        return error.code
    return 0

driver = open_driver(0)
"""


def run(folder: Path, code: str) -> None:
    ended = python(folder, OPENED + code)
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stderr


def test_what_the_driver_says_of_its_gpu_is_read_through_pycuda(driver_folder: Path) -> None:
    run(driver_folder, f"""
facts = driver.facts
assert (facts.name, facts.architecture, facts.driver) == ({NAME!r}, "sm_90", 13000), facts
assert (facts.bus_id, facts.shared_optin, facts.l2_bytes) == ({BUS_ID!r}, 232448, 1 << 20), facts
assert not facts.pageable_access and not facts.run_limit
""")  # fmt: skip


def test_addresses_and_handles_of_64_bits_come_through_whole_and_copies_say_the_same_as_numpy(
    driver_folder: Path,
) -> None:
    run(driver_folder, """
address, other = driver.allocate(4096), driver.allocate(4096)
assert address > 1 << 32
harness = Harness(driver)
harness.fill(address, 4096, 7)
assert harness.digest(address, 4096, 9) == digest_words(noise_words(7, 1024), 9)
driver.copy(other + 16, address, 64)
np.testing.assert_array_equal(driver.to_host(other + 16, 64), noise_words(7, 16).view(np.uint8))
driver.fill(other, 0xFFFFFFFF, 2)
driver.to_device(other + 4, np.arange(3, dtype=np.uint8))
assert driver.to_host(other, 8).tolist() == [255, 255, 255, 255, 0, 1, 2, 255]
assert driver.to_host(other, 0).size == 0
driver.free(other)
assert code_of(driver.to_host, other, 8) == 1
""")  # fmt: skip


def test_events_tell_the_time_of_what_lies_between_them_once_it_has_happened(driver_folder: Path) -> None:
    run(driver_folder, """
harness = Harness(driver)
first = driver.record()
harness.spin(50_000)
last = driver.record()
assert code_of(driver.elapsed_us, first, last) == 600
driver.synchronize()
assert abs(driver.elapsed_us(first, last) - 52) < 1e-3
assert harness.clock_mhz() == 1500
""")  # fmt: skip


def test_a_graph_holds_the_launches_that_were_recorded_and_waiting_meanwhile_is_refused(
    driver_folder: Path,
) -> None:
    run(driver_folder, """
harness = Harness(driver)
address = driver.allocate(64)
driver.fill(address, 0, 16)
driver.begin_graph()
harness.fill(address, 64, 3)
harness.spin(1000)
assert code_of(driver.synchronize) == 900
graph = driver.end_graph()
assert not driver.to_host(address, 64).any()
first = driver.record()
driver.launch_graph(graph)
driver.launch_graph(graph)
last = driver.record()
np.testing.assert_array_equal(driver.to_host(address, 64).view(np.uint32), noise_words(3, 16))
assert driver.elapsed_us(first, last) > 10
driver.drop_graph(graph)
assert code_of(driver.launch_graph, graph) == 400
""")  # fmt: skip


def test_a_variable_of_a_module_has_an_address_that_can_be_written(driver_folder: Path) -> None:
    run(driver_folder, """
harness, source = Harness(driver), driver.allocate(64)
driver.to_device(source, np.arange(64, dtype=np.uint8))
address, size = driver.variable(harness._module, "ww_fill")
driver.copy(address, source, size)
assert driver.to_host(address, size).tolist() == list(range(64))
assert code_of(driver.variable, harness._module, "ww_other") == 500
""")  # fmt: skip


def test_errors_have_their_numbers_by_pycuda_and_by_our_own_calls(driver_folder: Path) -> None:
    run(driver_folder, """
harness = Harness(driver)
assert code_of(driver.allocate, 1 << 40) == 2
assert code_of(driver.to_host, 4096, 8) == 1
assert code_of(driver.load, b"no image") == 200
assert code_of(driver.function, harness._module, "ww_other") == 500
fill = driver.function(harness._module, "ww_fill")
assert code_of(driver.allow_shared, fill, 1 << 20) == 1
assert code_of(driver.launch, LaunchSettings(fill, (1, 1, 1), (2048, 1, 1), 0), (bytes(8),) * 3) == 1
assert code_of(driver.launch, LaunchSettings(fill, (0, 1, 1), (1, 1, 1), 0), (bytes(8),) * 3) == 1
assert code_of(driver.launch, LaunchSettings(fill, (1, 1, 1), (1, 1, 1), 49 << 10), (bytes(8),) * 3) == 1
assert code_of(driver.launch, LaunchSettings(fill, (99, 1, 1), (512, 1, 1), 0, True), (bytes(8),) * 3) == 720
assert code_of(driver.launch, LaunchSettings(fill, (3, 1, 1), (1, 1, 1), 0, False, (2, 1, 1)), (bytes(8),) * 3) == 912
driver.unload(harness._module)
assert code_of(driver.launch, LaunchSettings(fill, (1, 1, 1), (1, 1, 1), 0), (bytes(8),) * 3) == 400
""")  # fmt: skip


def test_a_process_ends_well_with_memory_events_and_graphs_that_nobody_gave_back(driver_folder: Path) -> None:
    run(driver_folder, """
harness, kept = Harness(driver), [driver.allocate(64), driver.record()]
driver.begin_graph()
harness.spin(5)
kept.append(driver.end_graph())
""")  # fmt: skip


def test_a_lost_context_fails_every_call_and_its_process_still_exits_by_itself(driver_folder: Path) -> None:
    ended = python(driver_folder, OPENED + """
harness, event = Harness(driver), driver.record()
harness.fill(4096, 64, 1)
assert code_of(driver.synchronize) == 700
assert [code_of(driver.synchronize), code_of(driver.allocate, 64), code_of(driver.record)] == [700] * 3
raise SystemExit(5)
""")  # fmt: skip
    assert ended.returncode == 5, ended.stderr
    assert "Traceback" not in ended.stderr
    assert "not empty" not in ended.stderr


@pytest.mark.parametrize(("kernel", "status"), [("vector_add", 0), ("add_beyond_memory", 3)])
def test_what_nvidias_tools_look_at_ends_with_its_own_status(
    stand_in: Path, kernel: str, status: int
) -> None:
    target = PlanRunner("cuda:0", "cuda:0", ("numpy", "pycuda"), tuple(gpu.environment().items()))
    with prepared(target, program(), plan(kernel), INPUTS, 10) as job:
        ended = subprocess.run(job.command, env=target.environment, capture_output=True, check=False)
        assert (ended.returncode, b"not empty" in ended.stderr) == (status, False), ended.stderr
        assert json.loads((job.folder / "buffers.json").read_text())["out"][1] == 4 * SIZE


def test_the_driver_is_asked_what_its_gpu_is_and_in_trouble_says_so(
    stand_in: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_gpu(0) == PresentGpu(0, BUS_ID, NAME, "sm_90")
    other = replace(GPU, bus_id="0000:77:00.0")
    monkeypatch.setattr(gpu, "gpus", lambda: [other])
    with pytest.raises(MissingDependencyError, match=r"CUDA error 1$"):
        find_gpu(0)
    monkeypatch.setattr(gpu, "gpus", lambda: [GPU])
    broken = built(tmp_path, (*NODES, str(tmp_path / "no-node")))
    monkeypatch.setattr(gpu, "library_folder", lambda: broken)
    with pytest.raises(MissingDependencyError, match="CUDA error 100"):
        find_gpu(0)
    assert os.environ.get("LD_LIBRARY_PATH") != str(broken)
