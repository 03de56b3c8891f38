"""The program that NVIDIA's tools look at, run for real (on the simulator, which is what there is)."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import numpy as np
import pytest

from sandbox.nsight.job import PlanRunner, prepared
from sandbox.nsight.subject import LAUNCH_REFUSED
from tests.sandbox.nsight.stand_ins import SAMPLE, doubled

TARGET = PlanRunner("simulate", "h200", packages=("numpy", "ml_dtypes"))


@pytest.mark.parametrize(("threads", "status"), [(256, 0), (2048, LAUNCH_REFUSED)])
def test_a_job_is_run_once_and_its_status_says_how_it_ended(monkeypatch, threads, status):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    program, plan = doubled()
    launches = tuple(replace(launch, block=(threads, 1, 1)) for launch in plan.launches)
    with prepared(TARGET, program, replace(plan, launches=launches), {"x": SAMPLE}, 20.0) as job:
        ended = subprocess.run(
            job.command, env=TARGET.environment, cwd=job.folder, capture_output=True, text=True, check=False
        )
        folder = job.folder
    assert ended.returncode == status, ended.stderr
    assert bool(ended.stderr) is bool(status)
    assert not folder.exists()
    assert "OPENAI_API_KEY" not in TARGET.environment


def test_samples_are_repeated_to_fill_their_buffers():
    from sandbox.nsight.subject import _filled

    np.testing.assert_array_equal(_filled(np.arange(3), 7), [0, 1, 2, 0, 1, 2, 0])
