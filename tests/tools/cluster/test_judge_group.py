"""What kind of judges an order needs, and what each takes of a cluster."""

from __future__ import annotations

import pytest

from sandbox.errors import UsageError
from tools.cluster.judge_group import JudgeGroup, cluster_device


@pytest.mark.parametrize(
    ("device", "needs"),
    [
        ("auto", {"num_cpus": 1}),
        ("sim:l4", {"num_cpus": 1}),
        ("cuda", {"num_cpus": 0, "num_gpus": 1}),
        ("cuda:h200", {"num_cpus": 0, "num_gpus": 1, "accelerator_type": "H200"}),
        ("cuda:L4", {"num_cpus": 0, "num_gpus": 1, "accelerator_type": "L4"}),
    ],
)
def test_a_simulated_gpu_takes_a_cpu_slot_and_a_real_one_a_whole_gpu_of_its_type(
    device: str, needs: dict[str, object]
):
    assert JudgeGroup.of(cluster_device(device), "auto", None).needs == needs


def test_all_simulated_gpus_are_judged_by_one_group_so_that_tenants_share_its_slots():
    groups = {JudgeGroup.of(cluster_device(name), "auto", None) for name in ("sim:h200", "sim:l4")}
    assert len(groups) == 1


@pytest.mark.parametrize("name", ["cuda:0", "cuda:", "sim:h2000", "cuda:h200 or more"])
def test_a_device_that_no_cluster_has_is_refused_in_words(name: str):
    with pytest.raises(UsageError, match="cuda"):
        cluster_device(name)
