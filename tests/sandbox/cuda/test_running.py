"""The runner before a recording driver: what is launched and how, what is checked, what errors become."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from sandbox.cuda import running
from sandbox.cuda.driver import DriverError, LaunchSettings
from sandbox.cuda.harness import Harness
from sandbox.device import Fault
from sandbox.plan import (
    BufferArgument,
    BufferSpec,
    FilledConstant,
    Launch,
    LaunchMode,
    Plan,
    Role,
    ScalarArgument,
)
from sandbox.poison import poison_bytes
from sandbox.program import Program
from sandbox.verdict import Verdict
from sandbox.worker.messages import CudaAnswer
from tests.sandbox.cuda.recording_driver import RecordingDriver, doubling, integer

SIZE = 37
X = np.random.default_rng(0).random(SIZE, np.float32)
PROGRAM = Program("key", "sm_90", "", b"cubin", {"k": "_Z1kv"}, ())
LAUNCH = Launch(
    "k", (1, 1, 1), (64, 1, 1), 0,
    (BufferArgument("x"), BufferArgument("y"), ScalarArgument("int32", SIZE)), 7,
)  # fmt: skip
PLAN = Plan(
    (
        BufferSpec("x", Role.IN, "float32", SIZE),
        BufferSpec("y", Role.OUT, "float32", SIZE),
        BufferSpec("small", Role.SCRATCH, "uint8", 5),
    ),
    (LAUNCH,),
)


def run(driver: RecordingDriver, plan: Plan = PLAN, poison: int = 3) -> CudaAnswer:
    return running.run(driver, Harness(driver), PROGRAM, plan, {"x": X}, poison, guard=1 << 10)


def launching(**changes: object) -> Plan:
    return replace(PLAN, launches=(replace(LAUNCH, **changes),))  # type: ignore[arg-type]


def fault_of(answer: CudaAnswer) -> Fault:
    assert answer.result.fault is not None
    return answer.result.fault


def test_a_run_gives_back_outputs_and_inputs_and_all_its_memory() -> None:
    driver = RecordingDriver({"_Z1kv": doubling})
    answer = run(driver)
    assert (answer.result.fault, answer.spent) == (None, False)
    np.testing.assert_array_equal(answer.result.outputs["y"], 2 * X)
    np.testing.assert_array_equal(answer.result.inputs["x"], X)
    assert "small" not in {**answer.result.outputs, **answer.result.inputs}
    assert len(driver.memory) == 1  # the harness's own cell
    assert len(driver.called("load")) == len(driver.called("unload")) + 1


def test_constant_arrays_hold_their_inputs_before_the_first_launch_and_those_that_nothing_reads_are_left_out() -> (
    None
):
    driver = RecordingDriver({"_Z1kv": doubling})
    driver.variables["W"] = (driver.allocate(64), 64)
    plan = replace(PLAN, constants=(FilledConstant("W", "x"), FilledConstant("unread", "x")))
    assert run(driver, plan=plan).result.fault is None
    ((target, _, size),) = driver.called("copy")
    assert (target, size) == (driver.variables["W"][0], 64)
    assert driver.view(target, 64).tobytes() == X.tobytes()[:64]
    names = [call[0] for call in driver.calls]
    assert names.index("copy") < names.index("launch", names.index("variable"))


def test_what_a_kernel_leaves_alone_still_holds_the_poison_of_the_run() -> None:
    answer = run(RecordingDriver({"_Z1kv": lambda *_: None}), poison=11)
    assert answer.result.outputs["y"].tobytes() == poison_bytes(11, "y", 4 * SIZE).tobytes()


def test_memory_is_overwritten_before_it_is_given_back() -> None:
    driver = RecordingDriver({"_Z1kv": doubling})
    kept: list[np.ndarray] = []
    free = driver.free

    def watched(address: int) -> None:
        kept.append(driver.memory[address].copy())
        free(address)

    driver.free = watched  # type: ignore[method-assign]
    run(driver)
    assert len(kept) == 3
    assert not any(X.tobytes() in left.tobytes() or (2 * X).tobytes() in left.tobytes() for left in kept)


@pytest.mark.parametrize("offset", [4 * SIZE, 4 * SIZE + 300, -4, -1000])
def test_a_write_into_a_guard_zone_is_a_memory_fault_at_its_offset(offset: int) -> None:
    def stray(driver: RecordingDriver, settings: LaunchSettings, arguments: tuple[bytes, ...]) -> None:
        doubling(driver, settings, arguments)
        driver.view(integer(arguments[1]) + offset, 1)[:] ^= 0xFF

    fault = fault_of(run(RecordingDriver({"_Z1kv": stray})))
    assert (fault.verdict, fault.buffer, fault.offset) == (Verdict.MEMORY_FAULT, "y", offset)


@pytest.mark.parametrize("past", [0, 1, 2])
def test_the_bytes_that_share_a_word_with_the_end_of_a_buffer_are_guarded_too(past: int) -> None:
    def stray(driver: RecordingDriver, settings: LaunchSettings, arguments: tuple[bytes, ...]) -> None:
        driver.view(integer(arguments[0]) + 5 + past, 1)[:] ^= 1

    plan = launching(arguments=(BufferArgument("small"),))
    fault = fault_of(run(RecordingDriver({"_Z1kv": stray}), plan))
    assert (fault.buffer, fault.offset) == ("small", 5 + past)


def test_launches_carry_their_attributes_and_ask_for_their_shared_memory() -> None:
    driver = RecordingDriver({"_Z1kv": doubling})
    plans = [
        launching(mode=LaunchMode.COOPERATIVE, shared_bytes=512),
        launching(mode=LaunchMode.CLUSTER, cluster=(2, 1, 1), grid=(4, 1, 1)),
        launching(cluster=(2, 1, 1)),
    ]
    for plan in plans:
        assert run(driver, plan).result.fault is None
    made = [settings for symbol, settings in driver.called("launch") if symbol == "_Z1kv"]
    assert [(one.cooperative, one.cluster, one.shared_bytes) for one in made] == [
        (True, None, 512), (False, (2, 1, 1), 0), (False, None, 0),
    ]  # fmt: skip
    assert ("_Z1kv", 512) in driver.called("allow_shared")


def test_the_shared_memory_of_the_gpu_is_dirtied_before_the_first_launch() -> None:
    driver = RecordingDriver({"_Z1kv": doubling})
    run(driver)
    assert driver.launched().index("ww_shared") < driver.launched().index("_Z1kv")


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (launching(shared_bytes=2048), "line 7.*CUDA_ERROR_INVALID_VALUE"),
        (launching(kernel="other"), "CUDA_ERROR_NOT_FOUND"),
        (launching(grid=(0, 1, 1)), "line 7: grid"),
    ],
)
def test_what_the_device_refuses_is_a_launch_error_and_the_context_lives_on(plan: Plan, said: str) -> None:
    driver = RecordingDriver({"_Z1kv": doubling})
    answer = run(driver, plan)
    assert fault_of(answer).verdict is Verdict.LAUNCH_ERROR
    assert not answer.spent
    assert re.search(said, fault_of(answer).message)
    assert len(driver.memory) == 1
    assert run(driver).result.fault is None


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (700, Verdict.MEMORY_FAULT),
        (716, Verdict.MEMORY_FAULT),
        (719, Verdict.MEMORY_FAULT),
        (702, Verdict.TIMEOUT),
    ],
)
def test_a_fault_of_a_running_kernel_names_its_launch_and_spends_the_worker(
    code: int, verdict: Verdict
) -> None:
    def faulty(driver: RecordingDriver, settings: LaunchSettings, arguments: tuple[bytes, ...]) -> None:
        driver.deferred = code

    driver = RecordingDriver({"_Z1kv": faulty})
    answer = run(driver)
    fault = fault_of(answer)
    assert (fault.verdict, fault.kernel, fault.line, answer.spent) == (verdict, "k", 7, True)
    assert driver.calls[-1] == ("synchronize",)  # nothing is asked of a lost context


def test_refusals_at_the_launch_leave_the_context_and_too_little_memory_is_a_resource_limit() -> None:
    driver = RecordingDriver({"_Z1kv": doubling}, fails={"launch": [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 720]})
    answer = run(driver, launching(mode=LaunchMode.COOPERATIVE))
    assert (fault_of(answer).verdict, answer.spent) == (Verdict.LAUNCH_ERROR, False)
    full = RecordingDriver({"_Z1kv": doubling}, fails={"allocate": [0, 0, 2]})
    answer = run(full)
    assert (fault_of(answer).verdict, answer.spent) == (Verdict.RESOURCE_LIMIT, False)
    assert len(full.memory) == 1


def test_a_fault_of_the_machine_is_not_put_on_the_candidate() -> None:
    def uncorrectable(
        driver: RecordingDriver, settings: LaunchSettings, arguments: tuple[bytes, ...]
    ) -> None:
        driver.deferred = 214

    with pytest.raises(DriverError, match="214"):
        run(RecordingDriver({"_Z1kv": uncorrectable}))
