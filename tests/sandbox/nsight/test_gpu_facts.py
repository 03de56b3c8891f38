"""What nvidia-smi says, asked with a deadline; a driver in trouble is a fact too."""

from __future__ import annotations

import time

from sandbox.nsight import gpu_facts
from sandbox.nsight.programs import Ended, ask

H200 = (
    "0, NVIDIA H200, GPU-0a1b2c3d-0000-1111-2222-333344445555, 580.65.06, 9.0, 143771, 4, 345, 1980, 3201, 3201, "
    "75.91, 700.00, 27, Enabled, Disabled, Enabled, Default, 0x0000000000000001, None\n"
)


def answer(*ended: Ended):
    asked: list[list[str]] = []

    def ask_it(argv):
        asked.append(list(argv))
        return ended[min(len(asked), len(ended)) - 1]

    return asked, ask_it


def test_a_gpu_is_described_by_what_it_is_and_does():
    asked, ask_it = answer(Ended(0, H200))
    found = gpu_facts.query("nvidia-smi", ask_it)
    (gpu,) = found.found
    assert gpu.identity == "GPU-0a1b2c3d-0000-1111-2222-333344445555-580.65.06"
    assert gpu.throttled == ()
    assert gpu.pageable_access is False
    assert gpu_facts.describe(gpu) == (
        "NVIDIA H200, driver 580.65.06, compute 9.0, 4 of 143771 MiB used, SM clock 345 of 1980 MHz, memory clock 3201 "
        "of 3201 MHz, 75.91 of 700.00 W, 27 C, ECC Enabled, MIG Disabled, persistence Enabled, compute mode Default"
    )
    assert not any(
        word.startswith(("-pm", "-lgc", "-pl", "--lock", "--reset")) for words in asked for word in words
    )


def test_throttling_and_shared_address_spaces_are_told():
    text = H200.replace("0x0000000000000001, None", "0x0000000000000024, HMM")
    (gpu,) = gpu_facts.query("nvidia-smi", answer(Ended(0, text))[1]).found
    assert gpu.throttled == ("power cap", "temperature")
    assert gpu.pageable_access is True
    assert "clocks held back: power cap, temperature" in gpu_facts.describe(gpu)
    assert "(HMM)" in gpu_facts.describe(gpu)


def test_fields_that_a_driver_does_not_know_are_left_out():
    refused = Ended(2, 'Field "addressing_mode" is not a valid field to query.\n')
    asked, ask_it = answer(refused, Ended(0, H200.rpartition(",")[0] + "\n"))
    (gpu,) = gpu_facts.query("nvidia-smi", ask_it).found
    assert gpu.pageable_access is None
    assert gpu.values["name"] == "NVIDIA H200"
    assert "addressing_mode" in asked[0][1]
    assert "addressing_mode" not in asked[1][1]


def test_a_driver_in_trouble_is_a_fact():
    hangs = gpu_facts.query("nvidia-smi", answer(Ended(None, ""))[1])
    assert "did not answer within 10 s" in hangs.problem
    fails = gpu_facts.query(
        "nvidia-smi", answer(Ended(9, "NVIDIA-SMI has failed because it couldn't ..."))[1]
    )
    assert fails.problem.startswith("nvidia-smi failed: NVIDIA-SMI has failed")


def test_who_computes_on_a_gpu_is_told_of_that_gpu_alone():
    listed = "GPU-0a, 4711\nGPU-0b, 4712\nGPU-0a, [Not Found]\nGPU-0a, 99\n"
    asked, ask_it = answer(Ended(0, listed))
    assert gpu_facts.users("GPU-0a", "nvidia-smi", ask_it) == (4711, 99)
    assert asked[0][1] == "--query-compute-apps=gpu_uuid,pid"
    assert gpu_facts.users("GPU-0a", "nvidia-smi", answer(Ended(6, "No devices were found"))[1]) == ()
    assert gpu_facts.users("GPU-0a", "nvidia-smi", answer(Ended(None, ""))[1]) == ()


def test_a_program_that_does_not_end_is_given_up_and_killed(tmp_path):
    script = tmp_path / "hangs"
    script.write_text("#!/bin/sh\necho started\nsleep 60 &\nwait\n")
    script.chmod(0o755)
    start = time.monotonic()
    ended = ask([str(script)], deadline_s=0.5)
    assert ended == Ended(None, "started\n")
    assert time.monotonic() - start < 5
