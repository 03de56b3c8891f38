"""Which of two right kernels is preferred."""

from __future__ import annotations

from sandbox.program import KernelResources
from sandbox.verdict import Provenance, Verdict
from tools.preference import Merit, indistinct, merit, preferred
from tools.reports import CompileReport, ProfileReport


def order(*merits: Merit) -> list[int]:
    return preferred(range(len(merits)), merits.__getitem__)


def test_the_fastest_comes_first_where_the_difference_can_be_told() -> None:
    spilling, lean = Merit(10.0, True, (400, 255, 1)), Merit(10.4, True, (0, 32, 1))
    assert order(lean, spilling) == [1, 0]


def test_a_tie_goes_to_no_spills_then_fewer_registers_then_fewer_launches() -> None:
    merits = [
        Merit(10.00, True, (444, 64, 1)),
        Merit(10.10, True, (0, 128, 1)),
        Merit(10.20, True, (0, 64, 2)),
        Merit(10.25, True, (0, 64, 1)),
    ]
    assert order(*merits) == [3, 2, 1, 0]


def test_what_a_gpu_measured_is_taken_as_it_is() -> None:
    assert order(Merit(10.1, False, (0, 32, 1)), Merit(10.0, False, (400, 255, 3))) == [1, 0]


def test_a_standing_is_read_off_the_reports() -> None:
    built = CompileReport(
        Verdict.PASS,
        "",
        resources=(KernelResources("a", "a", 40, 0, 0, 8, 4), KernelResources("b", "b", 64, 0, 0, 0, 0)),
    )
    timed = ProfileReport(Verdict.PASS, "", 12.5, Provenance.ESTIMATED)
    assert merit(timed, built) == Merit(12.5, True, (12, 64, 0))


def test_only_estimates_can_be_too_close_to_tell_apart() -> None:
    def report(speedup: float, provenance: Provenance) -> ProfileReport:
        return ProfileReport(Verdict.PASS, "", 10.0, provenance, speedup)

    assert indistinct(report(1.02, Provenance.ESTIMATED))
    assert indistinct(report(0.98, Provenance.ESTIMATED))
    assert not indistinct(report(1.04, Provenance.ESTIMATED))
    assert not indistinct(report(1.02, Provenance.MEASURED))


def test_what_an_estimate_errs_by_is_no_difference_in_words_though_a_choice_is_made() -> None:
    def report(speedup: float, provenance: Provenance) -> ProfileReport:
        return ProfileReport(Verdict.PASS, "", 10.0, provenance, speedup, error=0.1)

    assert indistinct(report(1.09, Provenance.ESTIMATED))
    assert not indistinct(report(1.11, Provenance.ESTIMATED))
    assert not indistinct(report(1.09, Provenance.MEASURED))
    assert order(Merit(10.9, True, (0, 32, 1)), Merit(10.0, True, (0, 255, 1))) == [1, 0]
