"""Right ways to synchronise pass, and what they become without any one of their fences, barriers, masks and orders is found.

The mutants are of the compiled PTX (`idiom.changes`), so what a mutant lacks is what PTX guarantees. Those that pass are
listed in `EQUIVALENT`, each with its reason: they change nothing that PTX guarantees, but for those of `SAMPLE`, which
ADR 17 lets pass with a note. WARPWRIGHT_IDIOM_SEEDS runs every idiom under that many seeds.
"""

from __future__ import annotations

import sys

import pytest

from tests.exhaustive import IDIOM_SEEDS
from tests.sandbox.simulator.hazards.idiom import NAMES, Idiom

SEEDS = range(1, 1 + (IDIOM_SEEDS or 2))
LAST = "nothing touches that memory after it"
SHARED = "the location is in shared memory, where every thread is of one block"
SC_LOAD = "the fence of a sequentially consistent load; the load itself acquires"
EITHER = "one of two sc fences around a barrier: the other one orders the same"
OWN = "who reads it wrote it"
SAMPLE = "NVIDIA's own last block has no such fence (threadFenceReduction): noted, not refused, where no cache can be stale"

EQUIVALENT: dict[str, dict[str, str]] = {
    "async_copies": {
        "15 without bar.sync #3": "no copy goes to that stage any more",
        "15 without bar.sync #4": LAST,
    },
    "atomic_default": {
        "12 without fence": SC_LOAD,
        "12 fence of the block": SC_LOAD,
        "12 fence later": SC_LOAD,
    },
    "bulk_store": {
        "24 without cp.async.bulk.wait_group": "the source has been read, and a grid ends after its copies",
        "24 waits for one group less": "the source has been read, and a grid ends after its copies",
    },
    "cas_loop_shared": {"8 block scope": SHARED},
    "fence_reduction": {"11 without bar.sync #6": OWN, "22 without bar.sync #6": OWN},
    "flag_barrier": {
        "11 without fence": EITHER,
        "11 fence of the block": EITHER,
        "13 without fence": EITHER,
        "13 fence of the block": EITHER,
        "13 fence later": EITHER,
    },
    "last_block": {
        "16 without fence": SAMPLE,
        "16 fence of the block": SAMPLE,
        "16 fence earlier": "it still follows the ticket",
    },
    "last_block_all_fence": {
        "14 without fence": SAMPLE,
        "14 fence of the block": SAMPLE,
        "14 fence later": SAMPLE,
        "17 block scope": SHARED,
    },
    "last_block_volatile": {"14 not volatile": SAMPLE},
    "ring": {
        "9 fence later": "only the load of an input comes before it",
        "19 fence earlier": "only the store of an output comes after it",
    },
    "scan_global": {
        "10 without bar.sync #6": "those that are read are written with what is there already: nothing is added to them",
        "12 without bar.sync #6": OWN,
    },
    "scan_in_place": {"12 without bar.sync #7": OWN},
    "shared_flags": {"7 not volatile": "cleared before a barrier"},
    "shared_lock": {"10 block scope": SHARED, "14 block scope": SHARED},
}
IDIOMS = {name: Idiom(name) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_an_idiom_passes_whatever_the_schedule(name: str):
    idiom = IDIOMS[name]
    accused = {seed: why for seed in SEEDS if (why := idiom.run(idiom.program.ptx, seed))}
    assert not accused


@pytest.mark.parametrize("name", NAMES)
def test_an_idiom_without_any_one_of_its_words_is_found(name: str):
    assert missed(name) == set(EQUIVALENT.get(name, {}))


def missed(name: str) -> set[str]:
    idiom = IDIOMS[name]
    return {
        mutant.name
        for mutant in idiom.mutants()
        if not (idiom.run(mutant.ptx, 1) or idiom.run(mutant.ptx, 2))
    }


def test_there_are_many_idioms_and_mutants(capsys: pytest.CaptureFixture[str]):
    mutants = sum(1 for idiom in IDIOMS.values() for _ in idiom.mutants())
    reasons = [reason for found in EQUIVALENT.values() for reason in found.values()]
    equivalent, noted = len(reasons) - reasons.count(SAMPLE), reasons.count(SAMPLE)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{len(IDIOMS)} idioms, {mutants} mutants: {equivalent} change nothing that PTX guarantees, "
            f"{noted} are let pass with a note\n"
        )
    assert len(IDIOMS) >= 20
    assert mutants - equivalent - noted >= 200
