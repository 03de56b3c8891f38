"""The sweep: of many settings of a kernel's tunables, the fastest that is correct."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from sandbox.verdict import Verdict
from tools.awaiting import together
from tools.preference import merit, preferred
from tools.reports import CompileReport, ProfileReport, SweptSetting, TestReport

Tune = Mapping[str, int]

MAX_WRONG = 3
"""After so many fast but wrong settings the default, which is known to be right, is taken."""


HOPELESS = 0.25
"""Speedup over the baseline below which no block size makes a good kernel of a poor algorithm."""

ALIKE = 1.5
"""Unless the next setting is so many times as fast as the default, as from a grid of one block to one of many.

It is not where it launches about as many threads in all, each of which then does as much as before.
"""


@dataclass(frozen=True)
class Sweep:
    """Outcome of a sweep.

    Attributes:
        tune: The chosen setting.
        profile: Its profile; a failure where no setting could be profiled.
        test: Its test report; None where no setting could be profiled.
        tried: How many settings were profiled.
        settings: What became of each.
    """

    verdict: Verdict
    message: str
    tune: Tune
    profile: ProfileReport
    test: TestReport | None
    tried: int
    settings: tuple[SweptSetting, ...] = ()


async def sweep_settings(
    settings: Sequence[Tune],
    profile: Callable[[Tune], Awaitable[ProfileReport]],
    test: Callable[[Tune], Awaitable[TestReport]],
    compile_: Callable[[Tune], Awaitable[CompileReport]],
    threads: Callable[[Tune], Awaitable[int]],
) -> Sweep:
    """Profile every setting, then test the fastest ones until one is correct, at last the default.

    Of those that an estimate cannot tell apart the leaner one counts as faster, see `tools.preference`.

    Args:
        settings: At least one; the first is the default, which is right at the task's cases.
        profile: Profiles the kernel under a setting.
        test: Tests the kernel under a setting; the default at what it was not tested at before.
        compile_: Compiles the kernel under a setting.
        threads: How many threads the kernel is launched with under a setting, in all; 0 where that is not known.
    """
    profiles = await _profiled(settings, profile, threads)
    settings = settings[: len(profiles)]
    built = await _compiled(settings, profiles, compile_)
    ranked = preferred(list(built), lambda position: merit(profiles[position], built[position]))
    known = [_swept(*of) for of in zip(settings, profiles, map(built.get, range(len(profiles))), strict=True)]
    first = profiles[0]
    if not ranked and first.verdict is not Verdict.PASS:
        return Sweep(first.verdict, first.message, settings[0], first, None, len(settings), tuple(known))
    before = ranked[: ranked.index(0)] if 0 in ranked else ranked
    wrong = 0
    for position in before[:MAX_WRONG]:
        report = await test(settings[position])
        if report.verdict is Verdict.PASS:
            return replace(_chosen(settings, profiles, position, report, wrong), settings=tuple(known))
        known[position] = replace(known[position], verdict=report.verdict, message=report.message)
        wrong += 1
    report = await test(settings[0])
    chosen = _chosen(settings, profiles, 0, report, wrong)
    if report.verdict is Verdict.PASS:
        return replace(chosen, settings=tuple(known))
    known[0] = replace(known[0], verdict=report.verdict, message=report.message)
    chosen = replace(chosen, settings=tuple(known))
    return replace(chosen, verdict=report.verdict, message=report.message)


async def _profiled(
    settings: Sequence[Tune],
    profile: Callable[[Tune], Awaitable[ProfileReport]],
    threads: Callable[[Tune], Awaitable[int]],
) -> list[ProfileReport]:
    """Profiles of the settings, in order; of the first one or two only where they are hopeless and much alike."""
    tried = [await profile(settings[0])]
    default = tried[0].speedup
    if len(settings) > 1 and default is not None and default < HOPELESS:
        first, second = [await threads(setting) for setting in settings[:2]]
        if first < ALIKE * second and second < ALIKE * first:
            return tried
        tried.append(await profile(settings[1]))
        speeds = [report.speedup for report in tried if report.speedup is not None]
        if max(speeds) < min(HOPELESS, ALIKE * default):
            return tried
    return tried + await together(profile(setting) for setting in settings[len(tried) :])


async def _compiled(
    settings: Sequence[Tune],
    profiles: Sequence[ProfileReport],
    compile_: Callable[[Tune], Awaitable[CompileReport]],
) -> dict[int, CompileReport]:
    """What the assembler says of the settings that were timed, by position."""
    timed = [
        position
        for position, report in enumerate(profiles)
        if report.verdict is Verdict.PASS and report.latency_us is not None
    ]
    compiled = await together(compile_(settings[position]) for position in timed)
    return dict(zip(timed, compiled, strict=True))


def _swept(tune: Tune, profile: ProfileReport, compiled: CompileReport | None) -> SweptSetting:
    found = () if compiled is None else compiled.resources
    return SweptSetting(
        dict(tune),
        profile.verdict,
        profile.latency_us,
        max((one.registers for one in found), default=None),
        sum(one.spill_bytes for one in found) if found else None,
        "" if profile.verdict is Verdict.PASS else profile.message,
    )


def _chosen(
    settings: Sequence[Tune],
    profiles: Sequence[ProfileReport],
    position: int,
    test: TestReport,
    wrong: int,
) -> Sweep:
    chosen = profiles[position]
    failed = sum(report.verdict is not Verdict.PASS for report in profiles)
    text = f"{len(settings)} settings profiled"
    if failed:
        text += f", {failed} of them failed"
    if wrong:
        text += f", {wrong} fast but wrong"
    values = ", ".join(f"{name}={value}" for name, value in settings[position].items())
    message = f"{text}; best {values or 'the only one'}: {chosen.message}"
    return Sweep(chosen.verdict, message, settings[position], chosen, test, len(settings))
