from __future__ import annotations

import dataclasses

from agent.candidates import Trial
from agent.models.feedback import feedback, trial_line
from agent.models.profile_words import telling
from sandbox.device import Bottleneck, Breakdown, Cause, Fault, Hotspot, LaunchProfile, Metric, Part, WhatIf
from sandbox.program import Diagnostic
from sandbox.verdict import Provenance, Verdict
from tools.reports import (
    CaseReport,
    CheckReport,
    CompileReport,
    Mismatch,
    ProfileReport,
    ShapeTiming,
    SourceLine,
    StageReport,
    SweptSetting,
    TestReport,
)

KERNEL = "//@ launch k<<<1, 1>>>(y)\n__global__ void k(float* y) {\n    y[0] = nope;\n}\n"


def trial(report: CheckReport, **record: object) -> Trial:
    known = {"round": 1, "candidate": 2, "features": ["x"], "verdict": report.verdict, "report": report}
    known |= {"message": report.message, "provenance": report.provenance}
    return Trial.model_validate({**known, **record})


def failed(verdict: Verdict, message: str, *cases: CaseReport) -> CheckReport:
    compiled = CompileReport(Verdict.PASS, "")
    test = TestReport(verdict, message, cases, 4)
    return CheckReport(verdict, "t", "d", Provenance.COUNTED, message, compile=compiled, test=test)


def test_a_compile_error_comes_with_its_line_and_the_source_there():
    diagnostics = (Diagnostic("error", 'identifier "nope" is undefined', 3),)
    compiled = CompileReport(Verdict.COMPILE_ERROR, "kernel.cu:3: nope", diagnostics)
    report = CheckReport(
        Verdict.COMPILE_ERROR, "t", "d", Provenance.COUNTED, compiled.message, compile=compiled
    )
    text = feedback(trial(report), KERNEL)
    assert 'line 3: error: identifier "nope" is undefined\n    y[0] = nope;' in text
    assert "kernel.cu:3" not in text, "said once is enough"


def test_a_file_that_breaks_the_contract_is_told_why_though_no_compiler_ran():
    report = CheckReport(Verdict.REJECTED, "t", "d", Provenance.COUNTED, "kernel.cu:1: no launch directive")
    assert "kernel.cu:1: no launch directive" in feedback(trial(report), KERNEL)


def test_wrong_elements_come_with_index_value_and_expectation():
    first = (Mismatch("y", (1, 2), "NaN", 0.5, 1e-6),)
    case = CaseReport({"n": 7}, 1, Verdict.WRONG_RESULT, "3 wrong", 3, 2, 7, None, first)
    text = feedback(trial(failed(Verdict.WRONG_RESULT, "3 wrong at n=7", case)), KERNEL)
    assert "3 of 7 elements are wrong, 2 of them never written" in text
    assert "y[1, 2] is NaN, expected 0.5 (within 1e-06)" in text


def test_a_fault_is_told_once_with_where_it_happened():
    fault = Fault(Verdict.MEMORY_FAULT, "4-byte write past the end of y", "k", 3, thread=(5, 0, 0))
    case = CaseReport({"n": 7}, 1, Verdict.MEMORY_FAULT, "fault", fault=fault)
    text = feedback(trial(failed(Verdict.MEMORY_FAULT, "a memory fault", case)), KERNEL)
    assert "4-byte write past the end of y (kernel k, line 3, thread (5, 0, 0))" in text
    message = f"{fault.message} (kernel k, line 3)"
    said = dataclasses.replace(case, message=message)
    text = feedback(trial(failed(Verdict.MEMORY_FAULT, message, said)), KERNEL)
    assert text.count(fault.message) == 1


def test_every_failure_is_told_with_the_text_of_its_lines():
    race = CaseReport({"n": 7}, 1, Verdict.RACE, "a race", lines=(SourceLine(3, "y[0] = nope;"),))
    wrong = CaseReport({"n": 9}, 1, Verdict.WRONG_RESULT, "all wrong", 9, 0, 9)
    text = feedback(trial(failed(Verdict.RACE, "a race", race, wrong)), KERNEL)
    assert "2 failures were found, the most serious first; repair all of them." in text
    assert "  line 3: y[0] = nope;" in text
    assert "Case n = 9: wrong_result: all wrong" in text


def test_a_correct_kernel_comes_with_its_bottleneck_and_provenance():
    profile = ProfileReport(Verdict.PASS, "", 12.5, Provenance.ESTIMATED, 2.0, (), "dram", 0.8)
    report = CheckReport(Verdict.PASS, "t", "d", Provenance.ESTIMATED, "ok", profile=profile)
    text = feedback(trial(report, tune={"BLOCK": 64}), KERNEL)
    assert "Latency 12.5 us (estimated), 2x the baseline's speed." in text
    assert "Bottleneck: dram." in text
    assert "The roofline is 10 us: 80% of it is reached, and at most 2.5 us can be gained." in text
    assert "Judged with BLOCK = 64." in text


def test_a_profile_names_the_lines_that_cost_most():
    hot = (
        Hotspot(4, "ld.global", "sectors per request", 32.0, 0.8, "y = x[i];"),
        Hotspot(None, "bar", "waits", 1.0, 0.1),
    )
    launch = LaunchProfile("k", 1, 12.5, Provenance.ESTIMATED, "dram", 0.8, 1, 1, hotspots=hot)
    shape = ShapeTiming({"n": 8}, 12.5, Provenance.ESTIMATED, launches=(launch,))
    profile = ProfileReport(Verdict.PASS, "", 12.5, Provenance.ESTIMATED, 2.0, (shape,), "dram", 0.8)
    text = feedback(
        trial(CheckReport(Verdict.PASS, "t", "d", Provenance.ESTIMATED, "", profile=profile)), KERNEL
    )
    assert "line 4: 32 sectors per request, 80% of the launch's: y = x[i];" in text
    assert "line None" not in text


def test_an_estimate_comes_with_its_parts_what_would_change_it_and_how_far_it_may_be_off():
    parts = (Part(Bottleneck.DRAM, 9.6), Part(Bottleneck.L1, 8.1))
    found = Breakdown(parts, 2.0, 7.3, (WhatIf(Cause.SCATTERED_STORES, 8.25),), 0.1, 5.2)
    launch = LaunchProfile("k", 1, 12.5, Provenance.ESTIMATED, "dram", 0.8, 1, 1, breakdown=found)
    shape = ShapeTiming({"n": 8}, 12.5, Provenance.ESTIMATED, launches=(launch,))
    profile = ProfileReport(Verdict.PASS, "", 12.5, Provenance.ESTIMATED, 2.0, (shape,), "dram", 0.8, 0.1)
    text = feedback(
        trial(CheckReport(Verdict.PASS, "t", "d", Provenance.ESTIMATED, "", profile=profile)), KERNEL
    )
    assert "needs, in us: dram 9.6, l1 8.1, launch 2; least possible 7.3; with its data in L2 5.2 us" in text
    assert "if only this changed: stores coalesced: 8.25 us" in text
    assert "err by about 10 percent for kernels bound by dram" in text


def test_metrics_are_those_that_tell_of_what_bounds_the_kernel():
    metrics = tuple(
        Metric(name, 1.0, "x", Provenance.COUNTED)
        for name in (
            "dram__bytes_read.sum",
            "smsp__inst_executed_pipe_fma.sum",
            "launch__registers_per_thread",
        )
    )
    launch = LaunchProfile("k", 1, 9.0, Provenance.ESTIMATED, Bottleneck.DRAM, 0.8, 1, 1, metrics)
    assert [one.name for one in telling(launch)] == ["dram__bytes_read.sum", "launch__registers_per_thread"]
    bound = dataclasses.replace(launch, bottleneck=Bottleneck.FMA)
    assert [one.name for one in telling(bound)] == [
        "smsp__inst_executed_pipe_fma.sum",
        "launch__registers_per_thread",
    ]


def test_every_setting_of_a_sweep_is_told_with_what_it_took_or_why_it_failed():
    settings = (
        SweptSetting({"B": 64}, Verdict.PASS, 12.5, 40, 0),
        SweptSetting({"B": 128}, Verdict.PASS, 9.25, 96, 128),
        SweptSetting({"B": 2048}, Verdict.LAUNCH_ERROR, message="2048 threads in a block"),
    )
    profile = ProfileReport(Verdict.PASS, "", 9.25, Provenance.ESTIMATED)
    report = CheckReport(Verdict.PASS, "t", "d", Provenance.ESTIMATED, "", profile=profile, settings=settings)
    text = feedback(trial(report, tune={"B": 128}), KERNEL)
    assert text.endswith(
        "The sweep:\n"
        "  B=128: 9.25 us, 96 registers, 128 bytes spilled (chosen)\n"
        "  B=64: 12.5 us, 40 registers\n"
        "  B=2048: launch_error: 2048 threads in a block"
    )


def test_the_same_judgement_gives_the_same_words_however_long_it_took():
    case = CaseReport({"n": 7}, 1, Verdict.WRONG_RESULT, "wrong", 3, 0, 7)
    quick, slow = (
        dataclasses.replace(
            failed(Verdict.WRONG_RESULT, "wrong", case),
            stages=(StageReport("test", Verdict.WRONG_RESULT, "wrong", seconds),),
        )
        for seconds in (0.1, 9.0)
    )
    assert feedback(trial(quick), KERNEL) == feedback(trial(slow), KERNEL)


def test_a_line_of_history_names_the_kernel_its_features_and_the_outcome():
    passed = Trial(
        round=2, candidate=1, features=["a", "b"], verdict=Verdict.PASS, message="", sha="0123456789abcdef",
        latency_us=3.25, provenance=Provenance.MEASURED, speedup=4.0, tune={"BLOCK": 64},
    )  # fmt: skip
    assert trial_line(passed) == (
        "round 2 candidate 1 01234567 [a, b]: pass, 3.25 us (measured), 4x the baseline's speed, BLOCK=64"
    )
    lost = passed.model_copy(update={"verdict": Verdict.RACE, "message": "two threads\nmore"})
    assert trial_line(lost).endswith(": race: two threads")
